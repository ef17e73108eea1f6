"""What reports call the conditions of discs."""

from __future__ import annotations

from spineclock.ingest.report_text.pattern import OTHER, Pattern

DISCS_PATTERNS: tuple[Pattern, ...] = (
    # discs
    Pattern(
        "disc_osteophyte_complex",
        "osteo doc spur spondyl bar ridg hard",
        r"\b(?:posterior |broad[- ]based |diffuse )*disc(?:[ /-]*(?:bulge|bar))?(?:[ /-]*(?:and|"
        r"&))?[ /-]*(?:osteophyt\w+|spur|spondylotic)(?:[ /-]*(?:complex\w*|bar|ridge|ridging|bulges?|"
        r"formation))"
        r"|\bdisc(?:[ /-]+bulge)?[ /-]*osteophyt\w+|\bdisco-?osteophyt\w+(?:[ -]*(?:complex\w*|bar|ridge|"
        r"bulge))?|\bdocs?\b|\bosteophyt\w+[ /-]*(?:disc )?complex\w*|\b(?:spondylotic|osteophytic|"
        r"osteophyte|osteochondral|spondylitic|hard)[ -](?:disc )?(?:bar|complex|ridge|ridging|ridges|"
        r"bars)\b|\bosteophyte[ /-]disc(?: (?:bulge|complex))?|\bbulg\w+[ /-]osteophyt\w+(?: complex)?|"
        r"\bdisc[ /-]spurs?\b",
    ),
    Pattern(
        "uncovertebral_osteophyte",
        "unc luschka neurocentral uv",
        r"\b(?:uncovertebral|uncinate|uncal|unciform|neurocentral|luschka)(?:[ -]*(?:joints?|"
        r"process(?:es)?|and|/|&|facet|facets|joint))*(?:[ -]*(?:osteophyt\w+|spur\w*|hypertroph\w+|"
        r"arthr\w+|osteoarthr\w+|degenerat\w+|changes?|disease|enlargement|overgrowth|lipping|bony|"
        r"ridging|prominence|complex))*|\bjoints? of luschka(?: \w+)?|\buvj(?: \w+)?|"
        r"\buv (?:joint )?(?:spur\w*|osteophyt\w+|hypertroph\w+|arthr\w+|degenerat\w+)|"
        r"\bosteophyt\w+ (?:of|from|at|arising from) (?:the )?(?:\w+ )?(?:uncovertebral|"
        r"uncinate)(?: joints?| process\w*)?",
    ),
    Pattern(
        "extrusion",
        "extru sequest fragment migrat",
        r"\bextru\w+(?: disc| component| fragment| hernia\w+)*|\bsequest\w+(?: disc| fragments?)*|"
        r"\bfree (?:disc )?fragments?|\b(?:inferior|superior|caudal|cranial|cephalad|caudad|downward|"
        r"upward)(?:ly)?[ -]*migrat\w+(?: disc)?(?: \w+)?|\bdisc (?:material )?(?:has |is )?migrat\w+|"
        r"\bmigrated (?:disc|fragments?)(?: fragments?| material)?",
    ),
    Pattern(
        "protrusion",
        "protru",
        r"\bprotru\w+",
    ),
    Pattern(
        "protrusion",
        "hernia hnp prolap slipped pivd",
        r"\bhernia\w*|\bhnps?\b|\bprolaps\w+|\bslipped disc|\bpivd\b|\bherniated nucleus pulposus",
        generic=True,
    ),
    Pattern(
        "annular_fissure",
        "annul hiz zone fissur tear",
        r"\bannul\w+(?: fibrosus)?(?:[ -]*(?:and|/|the|of|posterior|small|radial|is|shows?|demonstrat\w+|"
        r"with|contains?|a|has|disc|fibrosus|fibers?|central|focal|shallow))*[ -]*(?:fissur\w+|tears?|"
        r"rents?|defects?|torn|disrupt\w+|high[- ]signal|hyperintens\w+|high[- ]intensity|rupture\w*|"
        r"cleft)"
        r"|\b(?:fissur\w+|tears?|torn|rents?|disruption|rupture|defect|cleft)(?: \w+){0,2}? (?:of|in|"
        r"within|involving|through)? ?(?:the )?(?:\w+ )?(?:annul\w+)(?: fibrosus)?|\bhiz\b|"
        r"\bhyper-?intense zones?|\bhigh[- ]signal zones?|\b(?:bright|high|hyperintense|t2)(?: \w+|"
        r"  +){0,2} (?:focus|foci|spot|signal) (?:in|of|within) (?:the )?(?:\w+ ){0,2}annul\w+|"
        r"\bhigh[- ]intensity zones?|\bhigh[- ]signal[- ]intensity zones?|\bfissur\w+|\b(?:radial|"
        r"concentric|transverse) tears?|\bdisc tears?|\btear of the disc",
    ),
    Pattern(
        "desiccation",
        "pfirr",
        r"\bpfirrmann?(?: grade| type|:|\s)*(?:iii|3)\b",
        severity=1,
    ),
    Pattern(
        "desiccation",
        "pfirr",
        r"\bpfirrmann?(?: grade| type|:|\s)*(?:iv|4)\b",
        severity=2,
    ),
    Pattern(
        "desiccation",
        "pfirr",
        r"\bpfirrmann?(?: grade| type|:|\s)*(?:v|5)\b",
        severity=3,
    ),
    Pattern(
        OTHER,
        "pfirr",
        r"\bpfirrmann?",
    ),
    Pattern(
        "desiccation",
        "desic dehyd disc ddd degen hydrat signal water hyperintens bright dark black",
        r"\bdesic\w+|\bdehydrat\w+|\bdiscopath\w+|\bdisc drying|\bdried[- ]out discs?|"
        r"\bhypointense discs?|\bdegenerative changes? (?:in|of|within|affecting|"
        r"involving) (?:the )?(?:\w+ ){0,2}?discs?|\bddd\b|"
        r"\bdegen(?:erat\w+)?(?: \w+){0,2}? discs?(?: disease| changes?)*|\bdegenerat\w+ (?:of|in|"
        r"involving|affecting) (?:the )?(?:\w+ ){0,2}?(?:intervertebral )?discs?|\bdisc(?:ogenic|"
        r"al)?s?(?:(?: is| are| appears?| also| both| all| shows?| demonstrates?| show| mildly|"
        r" moderately| severely| markedly| mild| moderate| severe| minor| slight| minimal| early|"
        r" advanced| marked| slightly| minimally))* degenerat\w+(?: changes?| disease)?|"
        r"\bdisc(?:ogenic)? diseases?"
        r"|\b(?:loss|lost|reduc\w+|decreas\w+|diminish\w+|low|dark|absen\w+|drop)(?: of| in)?(?: the|"
        r" normal| usual| expected| internal| intrinsic|  +| t2| bright| fluid| water| nuclear| nucleus|"
        r" intradiscal| intra-discal| disc| central| weighted| signal)*[ -]*(?:hydration|signal|"
        r"water content|fluid content|water|hyperintensity|brightness)(?: intensity)?(?= (?:is |"
        r"are )?(?:of|in|within|from|at|involving|affecting|across|throughout|seen|noted|on|between|disc|"
        r"discs|the|[ctl]\d)|[.,;)]|$| and | with | +[ctl]\d)(?! in the (?:vertebral|marrow|cord|bone)|"
        r"  of the (?:vertebral|marrow|cord))"
        r"|\bdisc(?: t2| +)?[ -]*(?:signal|hydration) (?:is |are )?(?:\w+ly )?(?:loss|reduc\w+|decreas\w+|"
        r"diminish\w+|lost|low|dark)|\b(?:dark|black|dehydrated|degenerate) discs?|"
        r"\bdiscs? (?:\w+ ){0,3}?(?:(?:is|are|appears?|shows?|has|have|which are) )+(?:\w+ly )?(?:dark|"
        r"black|dehydrated|hypointense|degenerate|degenerated|low (?:in )?(?: *|t2 )?signal|"
        r"lost (?:\w+ )*signal|reduced (?: *|\w+ )?signal)|\bdisc signal loss|\bsignal loss(?= (?:at|in|"
        r"of|within) )|\bdegenerate(?:d)?\b(?= (?:at )?[ctl]\d)",
    ),
    Pattern(
        "disc_bulge",
        "bulg",
        r"\bbulg\w+",
    ),
)
