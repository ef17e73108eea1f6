"""What could be taken for a condition, and endplates, cysts, transitional vertebrae and curves."""

from __future__ import annotations

from spineclock.ingest.report_text.pattern import BESIDE, NARROW, OTHER, Pattern

FIRST_PATTERNS: tuple[Pattern, ...] = (
    # what could be taken for a condition
    Pattern(
        OTHER,
        "cyst lesion nodul mass metast",
        r"\bsynovial cysts?|\bfacet cysts?|\b(?:renal|ovarian|hepatic|thyroid|adnexal|liver|kidney|"
        r"pulmonary|"
        r"lung|adrenal|splenic|uterine|sinus|skin|bowel|breast|prostatic?) \w*\s?(?:cysts?|lesions?|"
        r"nodules?|mass(?:es)?|metastas[ie]s)",
    ),
    Pattern(
        OTHER,
        "fractur",
        r"\b(?:rib|hip|femur|femoral|pelvic|pubic|humerus|humeral|clavicle|clavicular|sternal|sternum|"
        r"tibial?|"
        r"hardware|screw|rod|pars|ankle|wrist|skull|stress) fractures?\b|"
        r"\bfractur\w+ (?:of )?(?:the )?(?:left |right )?(?:\w+ )?(?:rib|hip|screw|rod)s?\b",
    ),
    Pattern(
        OTHER,
        "hemangio hernia",
        r"\b(?:hepatic|liver|splenic) hemangiomas?|\bcord herniation|\b(?:inguinal|hiatal|hiatus|ventral|"
        r"umbilical|"
        r"abdominal wall) hernia(?:tion)?s?",
    ),
    Pattern(
        OTHER,
        "foram recess articular",
        r"\b(?:neural |neuro)?foramin(?:al?|a)\b(?:\s*(?:and|/|or|,|&|\blateral\b|\brecess(?:es|al)?\b|"
        r"\bsub-?articular\b|\bexit\b|\bzones?\b))*"
        rf"{BESIDE}{NARROW}|\b(?:neural |neuro)?foram(?:en|ina)\b{BESIDE}{NARROW}|"
        rf"\b(?:lateral )?recess(?:es|al)?\b{BESIDE}{NARROW}|"
        rf"\bsub-?articular\b{BESIDE}{NARROW}|\b{NARROW} of (?:the )?(?:both |left |right |"
        r"bilateral )*(?:neural |exit |lateral )?(?:foramin\w*|foramen|recess\w*)",
    ),
    Pattern(
        OTHER,
        "facet flav ligament",
        r"\bfacet\w*(?: joint\w*)?(?:\s*(?:and|/|&) (?:ligament\w*(?: flavum)?|"
        r"flaval))?(?: joint\w*)?(?: (?:osteo)?arth\w+| hypertroph\w+|"
        r" degenerat\w+| diseases?| changes?| osteophyt\w+| effusions?| edema| sclerosis)*|"
        r"\b(?:ligament\w* flav\w+|flaval ligament\w*)"
        r"(?: (?:thickening|hypertrophy|infolding|buckling|bulging|thickened|redundancy))*|"
        r"\bbulging (?:of )?(?:the )?ligament\w*",
    ),
    Pattern(
        "desiccation",
        "height",
        r"\b(?:loss|reduction|decrease|reduced|decreased|lost|diminished)(?: of|"
        r" in)? (?:the )?(?:normal )?(?:disc )?(?:space )?heights? and "
        r"(?:of |in |disc |normal |internal |t2 |  +)*(?:signal|hydration|water)",
    ),
    Pattern(
        OTHER,
        "height space narrow",
        r"\bdisc (?:space )?height(?: loss| reduction| narrowing)?|"
        r"\bloss of (?:the )?(?:intervertebral )?disc(?: space)? height|"
        r"\b(?:disc|intervertebral)(?: disc)? spaces? (?:narrowing|loss)|\bnarrow(?:ing|"
        r"ed) (?:of )?(?:the )?(?:intervertebral )?disc spaces?|\bdisc narrowing",
    ),
    Pattern(
        OTHER,
        "cord",
        r"\b(?:flatten\w+|deform\w+|indent\w+) of (?:the )?(?:\w+ ){0,2}cord|\bcord (?:is |:|mildly |"
        r"moderately |slightly )*(?:flatten\w+|deform\w+|indent\w+|contact\w*)",
    ),
    Pattern(
        OTHER,
        "spondyloly pars",
        r"\bspondyloly\w+|\bpars (?:defects?|interarticularis\w*)",
    ),
    # endplates, before discs and fractures
    Pattern(
        "endplate_change",
        "modic schmorl intra",
        r"\bmodic(?: type)?(?:[ -]?(?:1|2|3|i{1,3})(?:\s?[/-]\s?(?:1|2|3|i{1,3}))?\b)?(?:[ -]*(?:type|"
        r"like|degenerative|reactive|endplate|marrow|signal|changes?))*"
        r"|\bschmorl(?:[ -]*(?:nodes?|herniations?|type|deformit\w+|indentations?))*"
        r"|\bintra(?:vertebral|osseous|spongious|body) (?:disc )?(?:herniations?|protrusions?)",
    ),
    Pattern(
        "fracture",
        "endplate",
        r"\bendplate (?:compression )?(?:fractures?|collapse|depression(?: fractures?| deformit\w+)?|"
        r"compression(?: deformit\w+)?)",
    ),
    Pattern(
        "endplate_change",
        "endplate marrow discogenic",
        r"\bendplates?(?:[ ,/-]*(?:and|&|the|of|are|is|show\w*|demonstrat\w*|adjacent|subchondral|"
        r"discogenic|marrow|mild(?:ly)?|moderate(?:ly)?|severe(?:ly)?|marked(?:ly)?|minor|chronic|type|1|"
        r"2|3|i{1,3}|"
        r"associated|degenerative|reactive|related|modic|signal|fatty|inflammatory|edematous|focal|"
        r"surface))*[ /-]*"
        r"(?:irregular\w*|changes?|degenerat\w+|edema|scleros[ie]s|sclerotic|erosi\w+|eroded|defects?|"
        r"signal(?! is normal)|abnormalit\w+|undulat\w+|remodel\w+|reactive|reaction|disruptions?|"
        r"indent\w+|alterations?)"
        r"|\b(?:irregular\w*|degenerat\w+|edema|scleros[ie]s|erosi\w+|signal changes?|reactive changes?|"
        r"changes?|abnormalit\w+|defects?|edematous changes?|fatty changes?)(?: \w+){0,2} (?:of|in|at|"
        r"along|within|involving|about|to|affecting) (?:the )?(?:\w+ ){0,3}?endplates?"
        r"|\b(?:irregular|degenerated|sclerotic|eroded|reactive|edematous|undulating|"
        r"scalloped) (?:\w+ )?endplates?"
        r"|\b(?:degenerative|reactive|discogenic|fatty) (?:type \w+ )?(?:bone )?(?:vertebral )?(?:body )?m"
        r"arrow (?:signal )?(?:changes?|edema|signal)|\bdiscogenic (?:sclerosis|edema|signal changes?|"
        r"bone changes?|reactive changes?)"
        r"|\bdegenerative (?:vertebral )?endplate\b",
    ),
    # cysts, transitional anatomy, curves
    Pattern(
        "tarlov_cyst",
        "tarlov cyst perineur divert",
        r"\btarlov(?:'?s)?(?:[ -]*(?:type|perineural))*(?:[ -]*cysts?)?|\bperineural (?:\(tarlov\) |"
        r"root sleeve )?cyst\w*|\bperineurial cysts?"
        r"|\bsacral (?:nerve root |perineural |root sleeve |meningeal |canal )?(?:sleeve )?cysts?|"
        r"\b(?:nerve )?root sleeve (?:cysts?|diverticul\w+)|\bmeningeal (?:cysts?|diverticul\w+)",
    ),
    Pattern(
        "transitional_vertebra",
        "transit sacraliz lumbariz lstv bertol lumbar castel assimil",
        r"\b(?:lumbo-?sacral |thoraco-?lumbar |lumbar |sacral )?transitional (?:lumbo-?sacral |lumbar |"
        r"sacral |thoraco-?lumbar |spinal |vertebral |\(?[lst]\d{1,2}\)? )*"
        r"(?:vertebra\w*|anatomy|segments?|level|body|bodies|morphology|type|configuration|l5|s1|l6|t12|"
        r"t13|junction|features|variant)|\b(?:hemi)?-?sacraliz\w+|\b(?:hemi)?-?lumbariz\w+|"
        r"\btransitional[- ]type|\b[ls]\d (?:vertebra )?(?:is |appears )(?:a )?transitional|"
        r"\bassimilat\w+ of l5|\blstv\b|\bbertolotti\w*"
        r"|\b(?:six|four|6|4) (?:non-?rib[- ]bearing )?lumbar[- ]type (?:vertebra\w*|bodies|segments)|"
        r"\b(?:six|four) lumbar vertebra\w*|\bcastellvi\b",
    ),
    Pattern(
        "scoliosis",
        "scolio curv convex dextro levo",
        r"\b(?:dextro|levo|roto|kypho|thoraco|lumbo)?-?(?:dextro|levo)?-?scolio\w+|\b(?:dextro|"
        r"levo)-?(?:curvature|convex\w*|rotat\w+)|\bcurv\w+ (?:is )?(?:gently )?convex (?:to (?:the )?)?(?"
        r":left|right)|"
        r"\bcurv\w+ (?:[\w ]{0,20})?with (?:its )?convexity (?:to (?:the )?)?(?:left|right)|\b(?:left|"
        r"right)[- ](?:sided )?convex(?:ity)? (?:\w+ )?curv\w+|\b(?:s-shaped|coronal|"
        r"c-shaped)(?: \w+)? curv\w+|\blateral (?:spinal )?curv\w+|\b(?:left|right)ward curv\w+|"
        r"\bcurv\w+ to the (?:left|right)"
        r"|\bconvex (?:to the )?(?:left|right)(?:ward)?\b",
    ),
    Pattern(
        OTHER,
        "lordo kypho curv",
        r"\b(?:normal|preserved|maintained|physiologic\w*|intact|satisfactory|anatomic\w*|"
        r"usual)(?: \w+){0,2}? (?:lordosis|kyphosis)(?: and (?:\w+ )?(?:lordosis|kyphosis))?|"
        r"\b(?:kypho|lordo)\w+(?: and (?:\w+ )?(?:kypho|lordo)\w+)?(?: of the \w+ spine)?(?:(?: is| are|"
        r" appears?| remains?|:| -))* (?:well[ -])?(?:normal|preserved|maintained|intact|unremarkable|"
        r"satisfactory|within)",
    ),
    Pattern(
        "kyphosis_or_lordosis",
        "straight lordo kypho curv gibbus flat military sway",
        r"\bstraighten\w*(?:(?: of| the| its| normal| usual| physiologic\w*| expected| cervical| lumbar|"
        r" thoracic| spinal| spine| alignment| with| loss|,)*(?: lordo\w+| curv\w+| spine| kypho\w+))?"
        r"|\b(?:loss|lost|reversal|reversed|reduc\w+|decreas\w+|diminish\w+|flatten\w+|abolish\w+|"
        r"exaggerat\w+|accentuat\w+|increas\w+|excessive|abnormal|absen\w+|attenuat\w+|effac\w+|hypo|"
        r"hyper|inver\w+|prominent|pronounced|altered|exaggeration|accentuation|rectif\w+|lack|kinked|"
        r"angular|focal|mild|moderate|severe|marked|acute)"
        r"(?: of| in| the| a| its| normal| usual| physiologic\w*| expected| natural| overall| cervical|"
        r" mid| upper| lower| lumbar| thoracic| thoracolumbar| cervicothoracic| dorsal| spinal| sagittal|"
        r" degree)* (?:lordo\w+|kypho\w+|curvatures?|curves?)(?! convex| to the)"
        r"|\b(?:lordo\w+|kypho\w+|curvature)(?: of the (?:\w+ )?spine)? (?:(?:is|are|has|been|appears?|"
        r"remains?|mildly|slightly|markedly|moderately|partially|partly|somewhat|severely|completely|"
        r"significantly|minimally|now|again|also|focally|and)\s+)*(?:lost|reduced|decreased|diminished|"
        r"flattened|straightened|exaggerated|accentuated|increased|reversed|reversal|effaced|attenuated|"
        r"inverted|absent|abolished|pronounced|prominent|altered|loss)"
        r"|\bhyper-?(?:lordo\w+|kypho\w+)|\bhypo-?(?:lordo\w+|kypho\w+)|\bgibbus\w*|"
        r"\bkyphotic (?:deformity|angulation|alignment|curv\w+|angle)|\bkyphosis\b|\bkyphoscoliosis\b|"
        r"\bkyphotic\b|\bflat ?back\b|\b(?:lordotic|kyphotic) curv\w* (?:is |has been )?(?:lost|reduced|"
        r"flattened|exaggerated|increased|reversed|straightened)|\bstraight (?:cervical|lumbar) spine|"
        r"\b(?:cervical|lumbar) spine is (?:abnormally )?straight\b|\bmilitary neck|\bun-?lordotic|"
        r"\bnon-?lordotic|\bscheuermann\w* kyphosis|\blordosis[:,]? (?:flattened|reduced|lost|"
        r"straightened|reversed|exaggerated|increased)|\bsway ?back",
    ),
)
