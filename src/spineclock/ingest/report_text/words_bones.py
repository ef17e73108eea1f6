"""What reports call the conditions of bones and what is round them; and other things that take degrees and levels."""

from __future__ import annotations

from spineclock.ingest.report_text.pattern import BONE, OTHER, Pattern

BONES_PATTERNS: tuple[Pattern, ...] = (
    # bones and what is round them
    Pattern(
        "fracture",
        "fractur deform plana vcf burst height wedg collaps compress infraction depress",
        r"\b(?:compression|wedge|wedging|burst|insufficiency|vertebral|osteoporotic|fragility|"
        r"pathologic(?:al)?|superior|inferior|anterior|chance|flexion|teardrop|biconcave|crush|acute|"
        r"chronic|old|healed|remote)?[ -]*fractur\w+|\b(?:compression|wedge|crush|wedge[- ]shaped|"
        r"biconcave|wedging|wedge compression|collapse) (?:\w+ )?deformit\w+|\bvertebra plana|\bvcfs?\b|"
        r"\b[ctl]\d{1,2}(?: vertebra(?:l body)?)? (?:is |has |shows )*(?:\w+ly )?(?:collapsed|wedged|"
        r"compressed|wedging|collapse)\b|\b(?:reduced|decreased|diminished|lost) (?:anterior |"
        r"posterior )?(?:vertebral )?body heights?|\b(?:loss|reduction) (?:of|in) (?:anterior |posterior |"
        r"central |the )*(?:body )?height (?:of|at|in) (?:the )?[ctl]\d{1,2}(?! ?[-/]?\d| disc| interv|/|"
        r"-)|\b(?:osteoporotic|vertebral|pathologic\w*) collapse|\bcollapse of (?:the )?(?:\w+ )?[ctl]\d|"
        r"\b\d+ ?(?:- ?\d+ ?|to \d+ ?)?(?:%|percent) (?!disc)(?:anterior |central |posterior |vertebral |"
        r"body |maximal )*(?:height loss|loss of (?:\w+ )?(?:body )?height|height reduction|compression)|"
        r"\b(?:vertebral )?body heights? (?:is |are )(?:\w+ly )?(?:reduced|decreased|diminished|lost)|"
        r"\b[ctl]\d{1,2} (?:vertebra|vertebral body|body) (?:\w+ ){0,4}?(?:loss of (?:\w+ )?height|"
        r"height loss|reduced height|compression|wedging|collapse)|\bendplate infraction|\b(?:compressed|"
        r"collapsed|wedged) [ctl]\d{1,2}\b|\bdepressed (?:superior |inferior )?endplates?|"
        r"\bwedge compressions?\b|\bburst\b"
        r"|\b(?:loss|reduction|decrease) (?:of|in) (?:\w+ ){0,4}?(?:vertebral(?: body)?|body) heights?|"
        r"\bvertebral(?: body)? (?:height loss|collapse|compression|wedging|height reduction)|"
        r"\b(?:anterior|vertebral|mild|body) wedging|\bwedging(?= (?:of|at))|"
        r"\bcollapsed? (?:of )?(?:the )?(?:\w+ )?vertebra\w*|\bcompressions? (?:of|"
        r"at) (?:the )?(?:\w+ endplate of (?:the )?)?(?=[ctl]\d)|\bcompressed vertebra\w*|"
        r"\bvertebral (?:body )?deformit\w+|\bheight loss(?= (?:of|at) (?:the )?[ctl]\d{1,2} (?:vertebra|"
        r"body))",
    ),
    Pattern(
        "bone_lesion",
        "hemangio metasta myeloma bone enost plasmac osteo aneurysm giant chordoma lesion marrow "
        "mass infiltr neoplas tumo deposit foc replac paget area",
        r"\bhemangioma\w*|\bmetasta\w+|\bmyeloma\w*|\bbone islands?|\benostos[ie]s|\bplasmacytoma\w*|"
        r"\bosteoid osteoma|\bosteoblastoma|\baneurysmal bone cysts?|\bgiant cell tumou?r|\bchordoma|"
        rf"\b{BONE}(?:[ -]*(?:focal|replacing|replacement|infiltrat\w+|based|body|expansile|destructive|"
        r"aggressive|marrow))*[ -]*(?:lesions?|metasta\w+|mass(?:es)?|infiltrat\w+|neoplasm|tumou?rs?|"
        r"deposits?|focus|foci|replac\w+)"
        r"|\b(?:lytic|sclerotic|blastic|marrow[- ]replacing) (?:\w+ )?(?:lesions?|foci|focus|areas?|"
        r"deposits?)|\blesions? (?:is |are )?(?:\w+ ){0,3}?(?:in|within|of|involving|at|"
        r"replacing) (?:the )?(?:\w+ ){0,4}?(?:vertebra\w*|bod(?:y|ies)|sacrum|sacral|marrow|pedicle|"
        r"lamina|spinous|[ctl]\d{1,2}\b(?! ?[-/]))|\b[ctl]\d{1,2} (?:vertebral (?:body )?|body )?lesions?|"
        r"\b(?:aggressive|expansile|destructive|enhancing) (?:\w+ )?(?:bone|bony|osseous|"
        r"vertebral)?\s?lesions?"
        r"|\bmarrow (?:infiltrat\w+|replac\w+)|\bpaget\w*",
    ),
    Pattern(
        "soft_tissue_oedema",
        "edema swell swollen fluid strain hematoma contus strand hyperintens signal",
        r"\b(?:soft[- ]tissues?|para-?(?:spinal|vertebral|spinous)|inter-?spinous|pre-?vertebral|"
        r"posterior paraspinal|muscle|muscular|intramuscular|subcutaneous|ligamentous|ligament\w*|"
        r"supraspinous|retrovertebral|perivertebral|posterior element)(?:[ /-]*(?:and|or|/|soft|tissues?|"
        r"muscles?|muscular|musculature|muscle|ligament\w*|fat|region|space|stir|t2|posterior|"
        r"subcutaneous|paraspinal|interspinous|is|are|show\w*|demonstrat\w*|mild|moderate|increased|high|"
        r"diffuse|some|with|a|signal|fluid|mildly|focal|bilateral|there|planes?))*[ ,/-]*"
        r"(?:edema\w*|swelling|swollen|fluid|strain|hematoma|contusion|stranding|hyperintens\w+|"
        r"high signal|signal (?:change|abnormalit\w+))"
        r"|\b(?:edema\w*|swelling|stranding|strain|hyperintens\w+|fluid|high (?:\w+ )?signal|"
        r"increased (?:\w+ )?signal|signal abnormality)(?: \w+){0,3}? (?:of|in|within|involving|affecting|"
        r"throughout|along|around) (?:the )?(?:\w+ ){0,4}?(?:soft[- ]tissues?|para-?spinal|"
        r"para-?vertebral|interspinous|prevertebral|muscles?|musculature|subcutaneous|multifid\w+|erector|"
        r"psoas|ligament\w*)",
    ),
    Pattern(
        "spondylolisthesis",
        "listh slip displac translat sublux anterior posterior forward",
        r"\b(?:spondylo|antero|retro|latero|lateral )?-?listh\w+|\bspondylolisth\w+|\b(?:anterior|"
        r"posterior|forward|backward|anterolateral) (?:slip(?:page|ped)?|displacement|translation|"
        r"subluxation)(?= (?:of )?(?:the )?[ctl]\d)|\b(?:anterior|posterior|forward)(?:ly)? (?:slip|"
        r"slippage|subluxation)\b|\b[ctl]\d{1,2} (?:is |has |has been )?slip(?:s|ped)?\b|\b(?:lies|sits|"
        r"is) (?:\d+ mm )?(?:anterior|posterior|forward)(?:ly)?(?: to| of| on)? [ls]\d|\bslip(?:s|"
        r"ped)? (?:forward|anteriorly|posteriorly|backward)\w*|\bslip(?:page)? of [ctl]\d|\b(?:displaced|"
        r"slipped|subluxed|translated) (?:anteriorly|posteriorly|forward|backward)\w*|\bgrade (?:1|2|3|4|"
        r"i{1,3}|iv) slip\w*",
    ),
    # more of what takes degrees and levels for itself
    Pattern(
        OTHER,
        "osteo spur spondyl arthr hypertroph imping efface indent contact encroach displac compress "
        "abut degen nerve lamin fusion ectom decompress acdf hardware screw plast conus edema atroph "
        "marrow cauda ligament lipomat tomy",
        r"\bosteophyt\w+(?: formation)?|\bspurr?(?:s|ing)?\b|\bspondylosis|\bspondylotic changes?|"
        r"\barthr(?:opathy|osis|itis|itic)\b|\bosteoarthr\w+|\bhypertroph\w+|\b(?:thecal sac |nerve root |"
        r"root |nerve |neural )?(?:impingement|effacement|indentation|contact|encroachment|displacement|"
        r"compression)\b"
        r"|\bindent\w+|\befface\w+|\babut\w+|\bdegenerative changes?|\bnerve roots?|\blaminectom\w+|"
        r"\bfusion\b|\bdis[ck]ectom\w+|\bmicrodiscectom\w+|\bdecompression\b|\bacdf\b|\bhardware|"
        r"\bscrews?\b|\bkyphoplast\w+|\bvertebroplast\w+|\blaminotom\w+|\bforaminotom\w+|\bconus\b|"
        r"\bedema\b|\batroph\w+|\bmarrow signal|\bcauda equina|\bligaments?\b|\bepidural lipomatosis",
    ),
    Pattern(
        "spinal_stenosis",
        "stenos stenot",
        r"\bstenos[ie]s\b|\bstenotic\b",
    ),
)
