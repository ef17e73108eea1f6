"""What reports call narrowing of the canal, and the cord's abnormalities."""

from __future__ import annotations

from spineclock.ingest.report_text.pattern import CANAL, LINK, NARROW, OTHER, Pattern

CANAL_AND_CORD_PATTERNS: tuple[Pattern, ...] = (
    # the canal and the cord
    Pattern(
        "congenital_canal_narrowing",
        "congenit development constitution pedicle",
        r"\b(?:congenital|developmental|constitutional)(?:ly)?(?:[ -]*(?:and|or|acquired|mildly|"
        r"moderately|severely|mild|moderate|severe|diffusely|somewhat|relatively|borderline|slightly|"
        r"central|spinal|lumbar|cervical|thoracic|bony|osseous|ap))*"
        rf"[ -]*(?:{CANAL}[ -]*)*(?:{NARROW}|narrow|small|short(?:ened)?(?: pedicles?)?|tight|"
        r"shallow)(?: (?:spinal |central |lumbar |cervical )*canal)?"
        rf"|\b{CANAL} (?:is |are |appears? )?(?:\w+ly )?(?:small|narrow\w*|tight) on an? (?:congenital|"
        r"developmental|constitutional) basis|\b(?:narrow\w*|small) (?:spinal |"
        r"central )?canal on an? (?:congenital|developmental|constitutional) basis"
        r"|\b(?:congenital(?:ly)? )?short(?:ened)? (?:\w+ )?pedicles?|\bpedicles (?:are|"
        r"appear) (?:congenitally |developmentally )?short|"
        rf"\b{CANAL} (?:(?:is|are|appears?|of|the|diffusely|mildly|moderately|relatively|"
        rf"somewhat) )*(?:congenital|developmental|constitutional)(?:ly)? (?:\w+ )?(?:{NARROW}|narrow|"
        r"small|tight)|"
        r"\b(?:stenosis|narrowing)(?: of the (?:\w+ )?canal)? (?:on (?:a|an) |of )?(?:congenital|"
        r"developmental|constitutional)(?:ly)?(?: (?:basis|origin|type|nature))?|\b(?:congenital|"
        r"developmental) (?:\w+ ){0,2}canal (?:stenosis|narrowing)",
    ),
    Pattern(
        "cord_abnormality",
        "cord myel syrin medullary conus demyel",
        r"\b(?:spinal )?cord(?::| -)? (?:is |are |shows? |demonstrates? |parenchyma\w* |with |appears? |"
        r"has |remains? )*(?:(?:mild|moderate|severe|mildly|moderately|severely|slight|slightly|focal|"
        r"subtle|abnormal|marked|markedly|intrinsic|intramedullary|increased|high|t2|stir|internal|the|a|"
        r"an|some|patchy|diffuse|central|chronic|and|/|or|significant|significantly)\s+)*"
        r"(?:signal (?:abnormalit\w+|changes?|alteration|hyperintens\w+|increase|elevation|"
        r"intensity (?:changes?|abnormalit\w+))|abnormal +(?:\w+ +)?signal|edema|compress\w+|lesions?|"
        r"atroph\w+|hyperintens\w+|abnormalit\w+|myelomalac\w+|thinn\w+|contusion|injury|swelling|"
        r"expansion|expanded|tether\w+|infarct\w*|tumou?r|signal(?= (?:is |are )?(?:abnormal|increased|"
        r"elevated|high|hyperintense)))"
        r"|\b(?:abnormal|increased|high|altered|elevated|hyperintense)(?: intramedullary| intrinsic| t2|"
        r" stir|  +)* (?:spinal )?cord (?:t2 |stir |  +)?(?:signal|edema)|\bcord (?:intensity|"
        r"signal)(?: intensity)? (?:is |are )?(?:\w+ly )?(?:abnormal|increased|elevated|altered)|"
        r"\bintramedullary (?:edema|hemorrhage)"
        r"|\bmyelomalac\w+|\bmyelopath\w+|\bsyring\w+|\bsyrinx\w*|\bhydro(?:syringo)?myel\w+|"
        r"\bintramedullary (?:\w+ ){0,2}(?:lesions?|signal|hyperintens\w+|t2|mass|tumou?r|abnormalit\w+|"
        r"edema|changes?|high signal|cyst\w*)"
        r"|\b(?:compress\w+|edema|atrophy|thinning|signal (?:changes?|abnormalit\w+|alteration)|"
        r"hyperintens\w+(?: signal)?|high(?: \w+|  +)?[ ]+signal|abnormal(?: \w+|  +)?[ ]+signal|"
        r"increased(?: \w+|  +)?[ ]+signal|signal abnormality|focus of (?:\w+ )?signal|lesions?|"
        r"demyelinat\w+)(?: \w+){0,2}? (?:of|in|within|involving|on|"
        r"affecting) (?:the )?(?:\w+ ){0,2}?(?:spinal |cervical |thoracic |hemi-?)?(?:cord|conus)\b"
        r"|\bcompress(?:es|ing)? (?:the )?(?:\w+ ){0,2}cord\b|\bdemyelinat\w+|\btethered(?: spinal)? cord|"
        r"\bgliosis of the cord|\bcord gliosis|\bsignal change (?:in|within) the (?:\w+ )?cord",
    ),
    Pattern(
        "spinal_stenosis",
        "stenos stenot narrow compromis constrict canal sac",
        rf"\b{CANAL}{LINK}{NARROW}|\b{NARROW} (?:of|in|involving|affecting) (?:the )?(?:central |mid |"
        r"lumbar |cervical |thoracic |bony |ap )*(?:spinal |vertebral |central )*(?:canal|thecal sac|"
        r"dural sac)"
        r"|\b(?:lumbar|cervical|thoracic|acquired|multifactorial|degenerative|trefoil)(?: (?:acquired|"
        r"degenerative|multifactorial|spine|spondylotic))* stenosis|\bnarrows the (?:central |spinal |"
        r"cervical |lumbar )*(?:canal|thecal sac)|\b(?:narrow(?:ed|ing)?|tight|"
        rf"stenotic) (?:the )?(?:\w+ )?(?:spinal |central )?(?:canal|thecal sac)\b|\b{CANAL} (?:is |are |"
        r"appears? )(?:\w+ly )?(?:tight|narrow|small)\b|\b(?:canal|"
        r"diameter of the (?:\w+ )?canal)(?: is)? (?:\w+ly )?(?:encroach\w+|reduced)"
        r"|\b(?:canal|thecal sac)(?: ap)? (?:diameter|caliber|dimensions?) (?:is |"
        r"are )?(?:\w+ly )?(?:reduced|decreased|diminished|narrowed)",
    ),
    Pattern(
        OTHER,
        "stenosis narrow",
        r"\b(?:stenosis|narrowing) of (?:the )?(?:\w+ )?(?:duct|artery|vessel|airway|ureter)\b|"
        r"\b(?:arterial|carotid|renal artery) stenosis",
    ),
)
