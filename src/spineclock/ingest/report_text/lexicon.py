"""What reports call the 19 conditions, how severe they call them, and what else they say that could be taken for it.

Patterns are for sentences as :func:`spineclock.ingest.report_text.spelling.plain` gives them: small letters, American
spelling. Where two match at one place, the earlier in the list wins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

OTHER = ""
"""The condition of what is none of the 19, but takes degrees and levels for itself (facet joints, foramina)."""
_DEGREE = (
    r"(?:mild|moderate|severe|marked|slight|minimal|significant|minor|advanced|gross|borderline|critical|high[- ]grade|"
    r"low[- ]grade|relative|tight|definite|substantial|considerable|notable|focal|diffuse|some|further|early|trace)(?:ly)?"
)
_LINK = (
    rf"(?:\s*(?:,|/|-|:|&|\band\b|\bor\b|\bthe\b|\bto\b|\bis\b|\bare\b|\bappears?\b|\bremains?\b|\bshows?\b|\bbe\b|"
    rf"\bas well as\b|\bof\b|\bbilateral(?:ly)?\b|\bleft\b|\bright\b|\bneural\b|\bforamin\w*\b|\bforamen\b|\blateral\b|"
    rf"\brecess(?:es)?\b|\bsub-?articular\b|\bzones?\b|\bap\b|\bdiameter\b|\bcaliber\b|\barea\b|\bagain\b|\bdegenerative\b|"
    rf"\bacquired\b|\bcanal\b|\bmultifactorial\b|\bosseous\b|\bbony\b|\bspinal\b|\bcentral\b|\bcause[sd]?\b|\b{_DEGREE}\b))*\s*"
)
_BESIDE = _LINK.replace(r"|\bcanal\b", "").replace(r"|\bspinal\b|\bcentral\b", "")
"""Links of what is not the canal: "foraminal and moderate canal stenosis" names the canal."""
_NARROW = r"(?:stenos[ie]s|stenosed|stenotic|narrow(?:ing|ed|ings)?|compromised?|constrict(?:ed|ion))\b"
_CANAL = (
    r"(?:central (?:spinal )?canal|spinal canal|vertebral canal|(?:cervical|lumbar|thoracic) (?:spinal )?canal|canal|"
    r"spinal|central(?! disc)|thecal sac|dural sac|thecal)\b"
)
_BONE = r"(?:osseous|bon[ey]|bone marrow|marrow|vertebral(?: body)?|skeletal|(?:osteo)?lytic|sclerotic|(?:osteo)?blastic|intraosseous)"


@dataclass(frozen=True)
class Pattern:
    """One way a condition is written."""

    condition: str
    regex: str
    generic: bool = False
    """Whether it gives way to an extrusion told of the same disc: "herniation" names the kind or does not."""
    severity: int = 0
    """The degree the words themselves hold; 0 where they hold none."""


PATTERNS: tuple[Pattern, ...] = (
    # what could be taken for a condition
    Pattern(OTHER, r"\bsynovial cysts?|\bfacet cysts?|\b(?:renal|ovarian|hepatic|thyroid|adnexal|liver|kidney|pulmonary|"
            r"lung|adrenal|splenic|uterine|sinus|skin|bowel|breast|prostatic?) \w*\s?(?:cysts?|lesions?|nodules?|mass(?:es)?|metastas[ie]s)"),
    Pattern(OTHER, r"\b(?:rib|hip|femur|femoral|pelvic|pubic|humerus|humeral|clavicle|clavicular|sternal|sternum|tibial?|"
            r"hardware|screw|rod|pars|ankle|wrist|skull|stress) fractures?\b|\bfractur\w+ (?:of )?(?:the )?(?:left |right )?(?:\w+ )?(?:rib|hip|screw|rod)s?\b"),
    Pattern(OTHER, r"\b(?:hepatic|liver|splenic) hemangiomas?|\bcord herniation|\b(?:inguinal|hiatal|hiatus|ventral|umbilical|"
            r"abdominal wall) hernia(?:tion)?s?"),
    Pattern(OTHER, rf"\b(?:neural |neuro)?foramin(?:al?|a)\b(?:\s*(?:and|/|or|,|&|\blateral\b|\brecess(?:es|al)?\b|\bsub-?articular\b|\bexit\b|\bzones?\b))*"
            rf"{_BESIDE}{_NARROW}|\b(?:neural |neuro)?foram(?:en|ina)\b{_BESIDE}{_NARROW}|\b(?:lateral )?recess(?:es|al)?\b{_BESIDE}{_NARROW}|"
            rf"\bsub-?articular\b{_BESIDE}{_NARROW}|\b{_NARROW} of (?:the )?(?:both |left |right |bilateral )*(?:neural |exit |lateral )?(?:foramin\w*|foramen|recess\w*)"),
    Pattern(OTHER, r"\bfacet\w*(?: joint\w*)?(?:\s*(?:and|/|&) (?:ligament\w*(?: flavum)?|flaval))?(?: joint\w*)?(?: (?:osteo)?arth\w+| hypertroph\w+|"
            r" degenerat\w+| diseases?| changes?| osteophyt\w+| effusions?| edema| sclerosis)*|\b(?:ligament\w* flav\w+|flaval ligament\w*)"
            r"(?: (?:thickening|hypertrophy|infolding|buckling|bulging|thickened|redundancy))*|\bbulging (?:of )?(?:the )?ligament\w*"),
    Pattern("desiccation", r"\b(?:loss|reduction|decrease|reduced|decreased|lost|diminished)(?: of| in)? (?:the )?(?:normal )?(?:disc )?(?:space )?heights? and "
            r"(?:of |in |disc |normal |internal |t2 |  +)*(?:signal|hydration|water)"),
    Pattern(OTHER, r"\bdisc (?:space )?height(?: loss| reduction| narrowing)?|\bloss of (?:the )?(?:intervertebral )?disc(?: space)? height|"
            r"\b(?:disc|intervertebral)(?: disc)? spaces? (?:narrowing|loss)|\bnarrow(?:ing|ed) (?:of )?(?:the )?(?:intervertebral )?disc spaces?|\bdisc narrowing"),
    Pattern(OTHER, r"\b(?:flatten\w+|deform\w+|indent\w+) of (?:the )?(?:\w+ ){0,2}cord|\bcord (?:is |:|mildly |moderately |slightly )*(?:flatten\w+|deform\w+|indent\w+|contact\w*)"),
    Pattern(OTHER, r"\bspondyloly\w+|\bpars (?:defects?|interarticularis\w*)"),
    # endplates before discs and fractures
    Pattern("endplate_change", r"\bmodic(?: type)?(?:[ -]?(?:1|2|3|i{1,3})(?:\s?[/-]\s?(?:1|2|3|i{1,3}))?\b)?(?:[ -]*(?:type|like|degenerative|reactive|endplate|marrow|signal|changes?))*"
            r"|\bschmorl(?:[ -]*(?:nodes?|herniations?|type|deformit\w+|indentations?))*"
            r"|\bintra(?:vertebral|osseous|spongious|body) (?:disc )?(?:herniations?|protrusions?)"),
    Pattern("fracture", r"\bendplate (?:compression )?(?:fractures?|collapse|depression(?: fractures?| deformit\w+)?|compression(?: deformit\w+)?)"),
    Pattern("endplate_change", r"\bendplates?(?:[ ,/-]*(?:and|&|the|of|are|is|show\w*|demonstrat\w*|adjacent|subchondral|discogenic|marrow|mild(?:ly)?|moderate(?:ly)?|severe(?:ly)?|marked(?:ly)?|minor|chronic|type|1|2|3|i{1,3}|"
            r"associated|degenerative|reactive|related|modic|signal|fatty|inflammatory|edematous|focal|surface))*[ /-]*"
            r"(?:irregular\w*|changes?|degenerat\w+|edema|scleros[ie]s|sclerotic|erosi\w+|eroded|defects?|signal(?! is normal)|abnormalit\w+|undulat\w+|remodel\w+|reactive|reaction|disruptions?|indent\w+|alterations?)"
            r"|\b(?:irregular\w*|degenerat\w+|edema|scleros[ie]s|erosi\w+|signal changes?|reactive changes?|changes?|abnormalit\w+|defects?|edematous changes?|fatty changes?)(?: \w+){0,2} (?:of|in|at|along|within|involving|about|to|affecting) (?:the )?(?:\w+ ){0,3}?endplates?"
            r"|\b(?:irregular|degenerated|sclerotic|eroded|reactive|edematous|undulating|scalloped) (?:\w+ )?endplates?"
            r"|\b(?:degenerative|reactive|discogenic|fatty) (?:type \w+ )?(?:bone )?(?:vertebral )?(?:body )?marrow (?:signal )?(?:changes?|edema|signal)|\bdiscogenic (?:sclerosis|edema|signal changes?|bone changes?|reactive changes?)"
            r"|\bdegenerative (?:vertebral )?endplate\b"),
    # cysts, transitional anatomy, curves
    Pattern("tarlov_cyst", r"\btarlov(?:'?s)?(?:[ -]*(?:type|perineural))*(?:[ -]*cysts?)?|\bperineural (?:\(tarlov\) |root sleeve )?cyst\w*|\bperineurial cysts?"
            r"|\bsacral (?:nerve root |perineural |root sleeve |meningeal |canal )?(?:sleeve )?cysts?|\b(?:nerve )?root sleeve (?:cysts?|diverticul\w+)|\bmeningeal (?:cysts?|diverticul\w+)"),
    Pattern("transitional_vertebra", r"\b(?:lumbo-?sacral |thoraco-?lumbar |lumbar |sacral )?transitional (?:lumbo-?sacral |lumbar |sacral |thoraco-?lumbar |spinal |vertebral |\(?[lst]\d{1,2}\)? )*"
            r"(?:vertebra\w*|anatomy|segments?|level|body|bodies|morphology|type|configuration|l5|s1|l6|t12|t13|junction|features|variant)|\b(?:hemi)?-?sacraliz\w+|\b(?:hemi)?-?lumbariz\w+|\btransitional[- ]type|\b[ls]\d (?:vertebra )?(?:is |appears )(?:a )?transitional|\bassimilat\w+ of l5|\blstv\b|\bbertolotti\w*"
            r"|\b(?:six|four|6|4) (?:non-?rib[- ]bearing )?lumbar[- ]type (?:vertebra\w*|bodies|segments)|\b(?:six|four) lumbar vertebra\w*|\bcastellvi\b"),
    Pattern("scoliosis", r"\b(?:dextro|levo|roto|kypho|thoraco|lumbo)?-?(?:dextro|levo)?-?scolio\w+|\b(?:dextro|levo)-?(?:curvature|convex\w*|rotat\w+)|\bcurv\w+ (?:is )?(?:gently )?convex (?:to (?:the )?)?(?:left|right)|"
            r"\bcurv\w+ (?:[\w ]{0,20})?with (?:its )?convexity (?:to (?:the )?)?(?:left|right)|\b(?:left|right)[- ](?:sided )?convex(?:ity)? (?:\w+ )?curv\w+|\b(?:s-shaped|coronal|c-shaped)(?: \w+)? curv\w+|\blateral (?:spinal )?curv\w+|\b(?:left|right)ward curv\w+|\bcurv\w+ to the (?:left|right)"
            r"|\bconvex (?:to the )?(?:left|right)(?:ward)?\b"),
    Pattern(OTHER, r"\b(?:normal|preserved|maintained|physiologic\w*|intact|satisfactory|anatomic\w*|usual)(?: \w+){0,2}? (?:lordosis|kyphosis)(?: and (?:\w+ )?(?:lordosis|kyphosis))?|"
            r"\b(?:kypho|lordo)\w+(?: and (?:\w+ )?(?:kypho|lordo)\w+)?(?: of the \w+ spine)?(?:(?: is| are| appears?| remains?|:| -))* (?:well[ -])?(?:normal|preserved|maintained|intact|unremarkable|satisfactory|within)"),
    Pattern("kyphosis_or_lordosis", r"\bstraighten\w*(?:(?: of| the| its| normal| usual| physiologic\w*| expected| cervical| lumbar| thoracic| spinal| spine| alignment| with| loss|,)*(?: lordo\w+| curv\w+| spine| kypho\w+))?"
            r"|\b(?:loss|lost|reversal|reversed|reduc\w+|decreas\w+|diminish\w+|flatten\w+|abolish\w+|exaggerat\w+|accentuat\w+|increas\w+|excessive|abnormal|absen\w+|attenuat\w+|effac\w+|hypo|hyper|inver\w+|prominent|pronounced|altered|exaggeration|accentuation|rectif\w+|lack|kinked|angular|focal|mild|moderate|severe|marked|acute)"
            r"(?: of| in| the| a| its| normal| usual| physiologic\w*| expected| natural| overall| cervical| mid| upper| lower| lumbar| thoracic| thoracolumbar| cervicothoracic| dorsal| spinal| sagittal| degree)* (?:lordo\w+|kypho\w+|curvatures?|curves?)(?! convex| to the)"
            r"|\b(?:lordo\w+|kypho\w+|curvature)(?: of the (?:\w+ )?spine)? (?:(?:is|are|has|been|appears?|remains?|mildly|slightly|markedly|moderately|partially|partly|somewhat|severely|completely|significantly|minimally|now|again|also|focally|and)\s+)*(?:lost|reduced|decreased|diminished|flattened|straightened|exaggerated|accentuated|increased|reversed|reversal|effaced|attenuated|inverted|absent|abolished|pronounced|prominent|altered|loss)"
            r"|\bhyper-?(?:lordo\w+|kypho\w+)|\bhypo-?(?:lordo\w+|kypho\w+)|\bgibbus\w*|\bkyphotic (?:deformity|angulation|alignment|curv\w+|angle)|\bkyphosis\b|\bkyphoscoliosis\b|\bkyphotic\b|\bflat ?back\b|\b(?:lordotic|kyphotic) curv\w* (?:is |has been )?(?:lost|reduced|flattened|exaggerated|increased|reversed|straightened)|\bstraight (?:cervical|lumbar) spine|\b(?:cervical|lumbar) spine is (?:abnormally )?straight\b|\bmilitary neck|\bun-?lordotic|\bnon-?lordotic|\bscheuermann\w* kyphosis|\blordosis[:,]? (?:flattened|reduced|lost|straightened|reversed|exaggerated|increased)|\bsway ?back"),
    # the canal
    Pattern("congenital_canal_narrowing", rf"\b(?:congenital|developmental|constitutional)(?:ly)?(?:[ -]*(?:and|or|acquired|mildly|moderately|severely|mild|moderate|severe|diffusely|somewhat|relatively|borderline|slightly|central|spinal|lumbar|cervical|thoracic|bony|osseous|ap))*"
            rf"[ -]*(?:{_CANAL}[ -]*)*(?:{_NARROW}|narrow|small|short(?:ened)?(?: pedicles?)?|tight|shallow)(?: (?:spinal |central |lumbar |cervical )*canal)?"
            rf"|\b{_CANAL} (?:is |are |appears? )?(?:\w+ly )?(?:small|narrow\w*|tight) on an? (?:congenital|developmental|constitutional) basis|\b(?:narrow\w*|small) (?:spinal |central )?canal on an? (?:congenital|developmental|constitutional) basis"
            r"|\b(?:congenital(?:ly)? )?short(?:ened)? (?:\w+ )?pedicles?|\bpedicles (?:are|appear) (?:congenitally |developmentally )?short|"
            rf"\b{_CANAL} (?:(?:is|are|appears?|of|the|diffusely|mildly|moderately|relatively|somewhat) )*(?:congenital|developmental|constitutional)(?:ly)? (?:\w+ )?(?:{_NARROW}|narrow|small|tight)|"
            r"\b(?:stenosis|narrowing)(?: of the (?:\w+ )?canal)? (?:on (?:a|an) |of )?(?:congenital|developmental|constitutional)(?:ly)?(?: (?:basis|origin|type|nature))?|\b(?:congenital|developmental) (?:\w+ ){0,2}canal (?:stenosis|narrowing)"),
    Pattern("cord_abnormality", r"\b(?:spinal )?cord(?::| -)? (?:is |are |shows? |demonstrates? |parenchyma\w* |with |appears? |has |remains? )*(?:(?:mild|moderate|severe|mildly|moderately|severely|slight|slightly|focal|subtle|abnormal|marked|markedly|intrinsic|intramedullary|increased|high|t2|stir|internal|the|a|an|some|patchy|diffuse|central|chronic|and|/|or|significant|significantly)\s+)*"
            r"(?:signal (?:abnormalit\w+|changes?|alteration|hyperintens\w+|increase|elevation|intensity (?:changes?|abnormalit\w+))|abnormal (?:\w+ )?signal|edema|compress\w+|lesions?|atroph\w+|hyperintens\w+|abnormalit\w+|myelomalac\w+|thinn\w+|contusion|injury|swelling|expansion|expanded|tether\w+|infarct\w*|tumou?r|signal(?= (?:is |are )?(?:abnormal|increased|elevated|high|hyperintense)))"
            r"|\b(?:abnormal|increased|high|altered|elevated|hyperintense)(?: intramedullary| intrinsic| t2| stir|  +)* (?:spinal )?cord (?:t2 |stir |  +)?(?:signal|edema)|\bcord (?:intensity|signal)(?: intensity)? (?:is |are )?(?:\w+ly )?(?:abnormal|increased|elevated|altered)|\bintramedullary (?:edema|hemorrhage)"
            r"|\bmyelomalac\w+|\bmyelopath\w+|\bsyring\w+|\bsyrinx\w*|\bhydro(?:syringo)?myel\w+|\bintramedullary (?:\w+ ){0,2}(?:lesions?|signal|hyperintens\w+|t2|mass|tumou?r|abnormalit\w+|edema|changes?|high signal|cyst\w*)"
            r"|\b(?:compress\w+|edema|atrophy|thinning|signal (?:changes?|abnormalit\w+|alteration)|hyperintens\w+(?: signal)?|high(?: \w+|  +)?[ ]+signal|abnormal(?: \w+|  +)?[ ]+signal|increased(?: \w+|  +)?[ ]+signal|signal abnormality|focus of (?:\w+ )?signal|lesions?|demyelinat\w+)(?: \w+){0,2}? (?:of|in|within|involving|on|affecting) (?:the )?(?:\w+ ){0,2}?(?:spinal |cervical |thoracic |hemi-?)?(?:cord|conus)\b"
            r"|\bcompress(?:es|ing)? (?:the )?(?:\w+ ){0,2}cord\b|\bdemyelinat\w+|\btethered(?: spinal)? cord|\bgliosis of the cord|\bcord gliosis|\bsignal change (?:in|within) the (?:\w+ )?cord"),
    Pattern("spinal_stenosis", rf"\b{_CANAL}{_LINK}{_NARROW}|\b{_NARROW} (?:of|in|involving|affecting) (?:the )?(?:central |mid |lumbar |cervical |thoracic |bony |ap )*(?:spinal |vertebral |central )*(?:canal|thecal sac|dural sac)"
            rf"|\b(?:lumbar|cervical|thoracic|acquired|multifactorial|degenerative|trefoil)(?: (?:acquired|degenerative|multifactorial|spine|spondylotic))* stenosis|\bnarrows the (?:central |spinal |cervical |lumbar )*(?:canal|thecal sac)|\b(?:narrow(?:ed|ing)?|tight|stenotic) (?:the )?(?:\w+ )?(?:spinal |central )?(?:canal|thecal sac)\b|\b{_CANAL} (?:is |are |appears? )(?:\w+ly )?(?:tight|narrow|small)\b|\b(?:canal|diameter of the (?:\w+ )?canal)(?: is)? (?:\w+ly )?(?:encroach\w+|reduced)"
            rf"|\b(?:canal|thecal sac)(?: ap)? (?:diameter|caliber|dimensions?) (?:is |are )?(?:\w+ly )?(?:reduced|decreased|diminished|narrowed)"),
    Pattern(OTHER, r"\b(?:stenosis|narrowing) of (?:the )?(?:\w+ )?(?:duct|artery|vessel|airway|ureter)\b|\b(?:arterial|carotid|renal artery) stenosis"),
    # discs
    Pattern("disc_osteophyte_complex", r"\b(?:posterior |broad[- ]based |diffuse )*disc(?:[ /-]*(?:bulge|bar))?(?:[ /-]*(?:and|&))?[ /-]*(?:osteophyt\w+|spur|spondylotic)(?:[ /-]*(?:complex\w*|bar|ridge|ridging|bulges?|formation))"
            r"|\bdisc(?:[ /-]+bulge)?[ /-]*osteophyt\w+|\bdisco-?osteophyt\w+(?:[ -]*(?:complex\w*|bar|ridge|bulge))?|\bdocs?\b|\bosteophyt\w+[ /-]*(?:disc )?complex\w*|\b(?:spondylotic|osteophytic|osteophyte|osteochondral|spondylitic|hard)[ -](?:disc )?(?:bar|complex|ridge|ridging|ridges|bars)\b|\bosteophyte[ /-]disc(?: (?:bulge|complex))?|\bbulg\w+[ /-]osteophyt\w+(?: complex)?|\bdisc[ /-]spurs?\b"),
    Pattern("uncovertebral_osteophyte", r"\b(?:uncovertebral|uncinate|uncal|unciform|neurocentral|luschka)(?:[ -]*(?:joints?|process(?:es)?|and|/|&|facet|facets|joint))*(?:[ -]*(?:osteophyt\w+|spur\w*|hypertroph\w+|arthr\w+|osteoarthr\w+|degenerat\w+|changes?|disease|enlargement|overgrowth|lipping|bony|ridging|prominence|complex))*|\bjoints? of luschka(?: \w+)?|\buvj(?: \w+)?|\buv (?:joint )?(?:spur\w*|osteophyt\w+|hypertroph\w+|arthr\w+|degenerat\w+)|\bosteophyt\w+ (?:of|from|at|arising from) (?:the )?(?:\w+ )?(?:uncovertebral|uncinate)(?: joints?| process\w*)?"),
    Pattern("extrusion", r"\bextru\w+(?: disc| component| fragment| hernia\w+)*|\bsequest\w+(?: disc| fragments?)*|\bfree (?:disc )?fragments?|\b(?:inferior|superior|caudal|cranial|cephalad|caudad|downward|upward)(?:ly)?[ -]*migrat\w+(?: disc)?(?: \w+)?|\bdisc (?:material )?(?:has |is )?migrat\w+|\bmigrated (?:disc|fragments?)(?: fragments?| material)?"),
    Pattern("protrusion", r"\bprotru\w+"),
    Pattern("protrusion", r"\bhernia\w*|\bhnps?\b|\bprolaps\w+|\bslipped disc|\bpivd\b|\bherniated nucleus pulposus", generic=True),
    Pattern("annular_fissure", r"\bannul\w+(?: fibrosus)?(?:[ -]*(?:and|/|the|of|posterior|small|radial|is|shows?|demonstrat\w+|with|contains?|a|has|disc|fibrosus|fibers?|central|focal|shallow))*[ -]*(?:fissur\w+|tears?|rents?|defects?|torn|disrupt\w+|high[- ]signal|hyperintens\w+|high[- ]intensity|rupture\w*|cleft)"
            r"|\b(?:fissur\w+|tears?|torn|rents?|disruption|rupture|defect|cleft)(?: \w+){0,2}? (?:of|in|within|involving|through)? ?(?:the )?(?:\w+ )?(?:annul\w+)(?: fibrosus)?|\bhiz\b|\bhyper-?intense zones?|\bhigh[- ]signal zones?|\b(?:bright|high|hyperintense|t2)(?: \w+|  +){0,2} (?:focus|foci|spot|signal) (?:in|of|within) (?:the )?(?:\w+ ){0,2}annul\w+|\bhigh[- ]intensity zones?|\bhigh[- ]signal[- ]intensity zones?|\bfissur\w+|\b(?:radial|concentric|transverse) tears?|\bdisc tears?|\btear of the disc"),
    Pattern("desiccation", r"\bpfirrmann?(?: grade| type|:|\s)*(?:iii|3)\b", severity=1),
    Pattern("desiccation", r"\bpfirrmann?(?: grade| type|:|\s)*(?:iv|4)\b", severity=2),
    Pattern("desiccation", r"\bpfirrmann?(?: grade| type|:|\s)*(?:v|5)\b", severity=3),
    Pattern(OTHER, r"\bpfirrmann?"),
    Pattern("desiccation", r"\bdesic\w+|\bdehydrat\w+|\bdiscopath\w+|\bdisc drying|\bdried[- ]out discs?|\bhypointense discs?|\bdegenerative changes? (?:in|of|within|affecting|involving) (?:the )?(?:\w+ ){0,2}?discs?|\bddd\b|\bdegen(?:erat\w+)?(?: \w+){0,2}? discs?(?: disease| changes?)*|\bdegenerat\w+ (?:of|in|involving|affecting) (?:the )?(?:\w+ ){0,2}?(?:intervertebral )?discs?|\bdisc(?:ogenic|al)?s?(?:(?: is| are| appears?| also| both| all| shows?| demonstrates?| show| mildly| moderately| severely| markedly| mild| moderate| severe| minor| slight| minimal| early| advanced| marked| slightly| minimally))* degenerat\w+(?: changes?| disease)?|\bdisc(?:ogenic)? diseases?"
            r"|\b(?:loss|lost|reduc\w+|decreas\w+|diminish\w+|low|dark|absen\w+|drop)(?: of| in)?(?: the| normal| usual| expected| internal| intrinsic|  +| t2| bright| fluid| water| nuclear| nucleus| intradiscal| intra-discal| disc| central| weighted| signal)*[ -]*(?:hydration|signal|water content|fluid content|water|hyperintensity|brightness)(?: intensity)?(?= (?:is |are )?(?:of|in|within|from|at|involving|affecting|across|throughout|seen|noted|on|between|disc|discs|the|[ctl]\d)|[.,;)]|$| +[ctl]\d)(?! in the (?:vertebral|marrow|cord|bone)|  of the (?:vertebral|marrow|cord))"
            r"|\bdisc(?: t2| +)?[ -]*(?:signal|hydration) (?:is |are )?(?:\w+ly )?(?:loss|reduc\w+|decreas\w+|diminish\w+|lost|low|dark)|\b(?:dark|black|dehydrated|degenerate) discs?|\bdiscs? (?:\w+ ){0,3}?(?:(?:is|are|appears?|shows?|has|have|which are) )+(?:\w+ly )?(?:dark|black|dehydrated|hypointense|degenerate|degenerated|low (?:in )?(?: *|t2 )?signal|lost (?:\w+ )*signal|reduced (?: *|\w+ )?signal)|\bdisc signal loss|\bsignal loss(?= (?:at|in|of|within) )|\bdegenerate(?:d)?\b(?= (?:at )?[ctl]\d)"),
    Pattern("disc_bulge", r"\bbulg\w+"),
    # bones
    Pattern("fracture", r"\b(?:compression|wedge|wedging|burst|insufficiency|vertebral|osteoporotic|fragility|pathologic(?:al)?|superior|inferior|anterior|chance|flexion|teardrop|biconcave|crush|acute|chronic|old|healed|remote)?[ -]*fractur\w+|\b(?:compression|wedge|crush|wedge[- ]shaped|biconcave|wedging|wedge compression|collapse) (?:\w+ )?deformit\w+|\bvertebra plana|\bvcfs?\b|\b[ctl]\d{1,2}(?: vertebra(?:l body)?)? (?:is |has |shows )*(?:\w+ly )?(?:collapsed|wedged|compressed|wedging|collapse)\b|\b(?:reduced|decreased|diminished|lost) (?:anterior |posterior )?(?:vertebral )?body heights?|\b(?:loss|reduction) (?:of|in) (?:anterior |posterior |central |the )*(?:body )?height (?:of|at|in) (?:the )?[ctl]\d{1,2}(?! ?[-/]?\d| disc| interv|/|-)|\b(?:osteoporotic|vertebral|pathologic\w*) collapse|\bcollapse of (?:the )?(?:\w+ )?[ctl]\d|\b\d+ ?(?:- ?\d+ ?|to \d+ ?)?(?:%|percent) (?!disc)(?:anterior |central |posterior |vertebral |body |maximal )*(?:height loss|loss of (?:\w+ )?(?:body )?height|height reduction|compression)|\b(?:vertebral )?body heights? (?:is |are )(?:\w+ly )?(?:reduced|decreased|diminished|lost)|\b[ctl]\d{1,2} (?:vertebra|vertebral body|body) (?:\w+ ){0,4}?(?:loss of (?:\w+ )?height|height loss|reduced height|compression|wedging|collapse)|\bendplate infraction|\b(?:compressed|collapsed|wedged) [ctl]\d{1,2}\b|\bdepressed (?:superior |inferior )?endplates?|\bwedge compressions?\b|\bburst\b"
            r"|\b(?:loss|reduction|decrease) (?:of|in) (?:\w+ ){0,4}?(?:vertebral(?: body)?|body) heights?|\bvertebral(?: body)? (?:height loss|collapse|compression|wedging|height reduction)|\b(?:anterior|vertebral|mild|body) wedging|\bwedging(?= (?:of|at))|\bcollapsed? (?:of )?(?:the )?(?:\w+ )?vertebra\w*|\bcompressions? (?:of|at) (?:the )?(?:\w+ endplate of (?:the )?)?(?=[ctl]\d)|\bcompressed vertebra\w*|\bvertebral (?:body )?deformit\w+|\bheight loss(?= (?:of|at) (?:the )?[ctl]\d{1,2} (?:vertebra|body))"),
    Pattern("bone_lesion", rf"\bhemangioma\w*|\bmetasta\w+|\bmyeloma\w*|\bbone islands?|\benostos[ie]s|\bplasmacytoma\w*|\bosteoid osteoma|\bosteoblastoma|\baneurysmal bone cysts?|\bgiant cell tumou?r|\bchordoma|\b{_BONE}(?:[ -]*(?:focal|replacing|replacement|infiltrat\w+|based|body|expansile|destructive|aggressive|marrow))*[ -]*(?:lesions?|metasta\w+|mass(?:es)?|infiltrat\w+|neoplasm|tumou?rs?|deposits?|focus|foci|replac\w+)"
            r"|\b(?:lytic|sclerotic|blastic|marrow[- ]replacing) (?:\w+ )?(?:lesions?|foci|focus|areas?|deposits?)|\blesions? (?:is |are )?(?:\w+ ){0,3}?(?:in|within|of|involving|at|replacing) (?:the )?(?:\w+ ){0,4}?(?:vertebra\w*|bod(?:y|ies)|sacrum|sacral|marrow|pedicle|lamina|spinous|[ctl]\d{1,2}\b(?! ?[-/]))|\b[ctl]\d{1,2} (?:vertebral (?:body )?|body )?lesions?|\b(?:aggressive|expansile|destructive|enhancing) (?:\w+ )?(?:bone|bony|osseous|vertebral)?\s?lesions?"
            r"|\bmarrow (?:infiltrat\w+|replac\w+)|\bpaget\w*"),
    Pattern("soft_tissue_oedema", r"\b(?:soft[- ]tissues?|para-?(?:spinal|vertebral|spinous)|inter-?spinous|pre-?vertebral|posterior paraspinal|muscle|muscular|intramuscular|subcutaneous|ligamentous|ligament\w*|supraspinous|retrovertebral|perivertebral|posterior element)(?:[ /-]*(?:and|or|/|soft|tissues?|muscles?|muscular|musculature|muscle|ligament\w*|fat|region|space|stir|t2|posterior|subcutaneous|paraspinal|interspinous|is|are|show\w*|demonstrat\w*|mild|moderate|increased|high|diffuse|some|with|a|signal|fluid|mildly|focal|bilateral|there|planes?))*[ ,/-]*"
            r"(?:edema\w*|swelling|swollen|fluid|strain|hematoma|contusion|stranding|hyperintens\w+|high signal|signal (?:change|abnormalit\w+))"
            r"|\b(?:edema\w*|swelling|stranding|strain|hyperintens\w+|fluid|high (?:\w+ )?signal|increased (?:\w+ )?signal|signal abnormality)(?: \w+){0,3}? (?:of|in|within|involving|affecting|throughout|along|around) (?:the )?(?:\w+ ){0,4}?(?:soft[- ]tissues?|para-?spinal|para-?vertebral|interspinous|prevertebral|muscles?|musculature|subcutaneous|multifid\w+|erector|psoas|ligament\w*)"),
    Pattern("spondylolisthesis", r"\b(?:spondylo|antero|retro|latero|lateral )?-?listh\w+|\bspondylolisth\w+|\b(?:anterior|posterior|forward|backward|anterolateral) (?:slip(?:page|ped)?|displacement|translation|subluxation)(?= (?:of )?(?:the )?[ctl]\d)|\b(?:anterior|posterior|forward)(?:ly)? (?:slip|slippage|subluxation)\b|\b[ctl]\d{1,2} (?:is |has |has been )?slip(?:s|ped)?\b|\b(?:lies|sits|is) (?:\d+ mm )?(?:anterior|posterior|forward)(?:ly)?(?: to| of| on)? [ls]\d|\bslip(?:s|ped)? (?:forward|anteriorly|posteriorly|backward)\w*|\bslip(?:page)? of [ctl]\d|\b(?:displaced|slipped|subluxed|translated) (?:anteriorly|posteriorly|forward|backward)\w*|\bgrade (?:1|2|3|4|i{1,3}|iv) slip\w*"),
    # more of what takes degrees and levels for itself
    Pattern(OTHER, r"\bosteophyt\w+(?: formation)?|\bspurr?(?:s|ing)?\b|\bspondylosis|\bspondylotic changes?|\barthr(?:opathy|osis|itis|itic)\b|\bosteoarthr\w+|\bhypertroph\w+|\b(?:thecal sac |nerve root |root |nerve |neural )?(?:impingement|effacement|indentation|contact|encroachment|displacement|compression)\b"
            r"|\bindent\w+|\befface\w+|\babut\w+|\bdegenerative changes?|\bnerve roots?|\blaminectom\w+|\bfusion\b|\bdis[ck]ectom\w+|\bmicrodiscectom\w+|\bdecompression\b|\bacdf\b|\bhardware|\bscrews?\b|\bkyphoplast\w+|\bvertebroplast\w+|\blaminotom\w+|\bforaminotom\w+|\bconus\b|\bedema\b|\batroph\w+|\bmarrow signal|\bcauda equina|\bligaments?\b|\bepidural lipomatosis"),
    Pattern("spinal_stenosis", rf"\bstenos[ie]s\b|\bstenotic\b"),
)  # fmt: skip

SEVERITIES: tuple[tuple[str, int], ...] = (
    (r"(?:near|nearly|almost|virtually|essentially)[ -]?(?:complete(?:ly)?|total(?:ly)?)|complete(?:ly)?|total(?:ly)?", 4),
    (r"severe(?:ly)?|marked(?:ly)?|large|advanced|huge|massive(?:ly)?|gross(?:ly)?|extensive(?:ly)?|pronounced|high[- ]grade|"
     r"profound(?:ly)?|giant|very large|end[- ]stage|critical(?:ly)?", 3),
    (r"moderate(?:ly)?(?:[- ]sized)?|medium(?:[- ]sized)?|intermediate", 2),
    (r"mild(?:ly)?|minimal(?:ly)?|slight(?:ly)?|small|minor|tiny|subtle|trace|early|low[- ]grade|shallow|minute|faint(?:ly)?|"
     r"discrete|little|incipient|gentle", 1),
    (r"none|nil|absent|not present", 0),
)  # fmt: skip
"""Degrees in words and their codes of ``core.findings``; 0 says that there is nothing."""
_ONE = "|".join(f"(?:{words})" for words, _ in SEVERITIES)
_DEGREES = re.compile(
    rf"(?<![\w-])(?<!most )(?<!more )(?<!less )(?<!least )(?:{_ONE})(?:(?:\s*-\s*to\s*-\s*|\s+to\s+(?:at most )?|\s*[-/]\s*|\s+or\s+)(?:{_ONE}))*(?![\w])"
)
_CODES = tuple((re.compile(rf"(?<!\w)(?:{words})(?!\w)"), code) for words, code in SEVERITIES)


@dataclass(frozen=True)
class Mention:
    """A condition, or something that is none of them, named in a sentence."""

    condition: str
    start: int
    end: int
    generic: bool = False
    severity: int = 0


@dataclass(frozen=True)
class Degree:
    """A degree named in a sentence, the more severe of a range; 0 for "none"."""

    code: int
    start: int
    end: int


@cache
def _mentions() -> re.Pattern[str]:
    return re.compile("|".join(f"(?P<p{k}>{p.regex})" for k, p in enumerate(PATTERNS)))


def mentions(text: str) -> list[Mention]:
    """What a sentence names, from left to right.

    >>> [m.condition for m in mentions("severe canal and foraminal stenosis with disc-osteophyte complex, bulge")]
    ['spinal_stenosis', 'disc_osteophyte_complex', 'disc_bulge']
    """
    found = []
    for match in _mentions().finditer(text):
        if match.end() > match.start():
            pattern = PATTERNS[int(str(match.lastgroup)[1:])]
            found.append(Mention(pattern.condition, *match.span(), pattern.generic, pattern.severity))
    return found


def degrees(text: str) -> list[Degree]:
    """The degrees a sentence names, from left to right.

    >>> [d.code for d in degrees("mild to moderate here, marked there, the most severe below")]
    [2, 3]
    """
    found = []
    for match in _DEGREES.finditer(text):
        codes = [code for words, code in _CODES if words.search(match[0])]
        found.append(Degree(max(codes), *match.span()))
    return found
