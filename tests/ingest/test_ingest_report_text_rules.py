"""The rules one by one: sections and sentences, spelling, levels, words, degrees, and what a sentence only denies."""

from __future__ import annotations

import pytest

from spineclock.ingest.report_text.levels import groups, hidden
from spineclock.ingest.report_text.lexicon import PATTERNS, degrees, mentions
from spineclock.ingest.report_text.scope import kind_at, scopes
from spineclock.ingest.report_text.sections import sentences
from spineclock.ingest.report_text.spelling import plain


def parts(report: str) -> list[tuple[str, str]]:
    return [(s.section, s.text) for s in sentences(report)]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("CLINICAL HISTORY: Fall.\nFINDINGS: Bulge.", [("history", "Fall."), ("findings", "Bulge.")]),
        ("Clinical details - fall\nReport - Bulge.", [("history", "fall"), ("findings", "Bulge.")]),
        ("**IMPRESSION**\n1. Bulge.\n2) Tear.", [("impression", "Bulge."), ("impression", "Tear.")]),
        ("TECHNIQUE\n\nSagittal T2.\n\nNormal.", [("technique", "Sagittal T2."), ("findings", "Normal.")]),
        ("Indication: pain. Findings: Bulge. Conclusion: Bulge.",
         [("history", "pain."), ("findings", "Bulge."), ("impression", "Bulge.")]),
        ("Comparison: MRI 2019, L4-5 bulge.\n\nThere is a tear.",
         [("comparison", "MRI 2019, L4-5 bulge."), ("findings", "There is a tear.")]),
        ("Findings of note: bulge", [("findings", "bulge")]),
        ("IMPRESSION: 1. Bulge. 2. Tear.", [("impression", "Bulge."), ("impression", "Tear.")]),
        ("Bulge of 3.5 mm. Dr. Smith agrees.", [("findings", "Bulge of 3.5 mm."), ("findings", "Dr. Smith agrees.")]),
        ("RECOMMENDATION: Rule out fracture.", [("recommendation", "Rule out fracture.")]),
    ],
)  # fmt: skip
def test_a_report_falls_into_sections(report, expected):
    assert parts(report) == expected


def test_wrapped_lines_are_joined_and_lines_of_a_list_are_not():
    wrapped = "There is a moderate broad-based disc bulge with annular fissure at\nL4-5 and at the level below it."
    assert len(parts(wrapped)) == 1
    assert [t for _, t in parts("L3-4 mild bulge\nL4-5 moderate bulge\nNo fracture")] == [
        "L3-4 mild bulge", "L4-5 moderate bulge", "No fracture",
    ]  # fmt: skip


def test_what_begins_something_new_is_marked():
    told = sentences("L4-5: Bulge. Tear.\n- Item.\n\nParagraph.\nAlignment: Normal.")
    assert [s.fresh for s in told] == ["paragraph", "", "item", "paragraph", "paragraph"]


@pytest.mark.parametrize(
    ("written", "plainly"),
    [
        ("Disk protusion", "disc protrusion"),
        ("Anular fisure", "annular fissure"),
        ("dessication", "desiccation"),
        ("Oedema, haemangioma, sacralisation", "edema, hemangioma, sacralization"),
        ("spondylolithesis", "spondylolisthesis"),
        ("fracutre", "fracture"),
        ("T12 fx", "t12 fracture"),
        ("w/o stenosis, w/ bulge", "without stenosis, with bulge"),
        ("mod. bulge", "moderate bulge"),
        ("End-plate; Schmorl's node", "endplate; schmorl node"),
        ("L4–L5", "l4-l5"),
        ("third lumbar vertebra, 4th dorsal vertebra", "l3 vertebra, t4 vertebra"),
        ("osteolytic, intrusion, fraction, retention", "osteolytic, intrusion, fraction, retention"),
    ],
)
def test_one_spelling_for_all(written, plainly):
    assert plain(written) == plainly


@pytest.mark.parametrize(
    ("text", "of", "levels"),
    [
        ("l4-5", "discs", ["L4"]),
        ("l5/s1", "discs", ["L5"]),
        ("l5s1", "discs", ["L5"]),
        ("l45 and l51", "discs", ["L4", "L5"]),
        ("l3-4 to l5-s1", "discs", ["L3", "L4", "L5"]),
        ("c3/4 and c5/6", "discs", ["C3", "C5"]),
        ("t7-t10", "vertebrae", ["T7", "T8", "T9", "T10"]),
        ("t7-t10", "discs", ["T7", "T8", "T9"]),
        ("t7-t10", "either", ["T7", "T8", "T9", "T10"]),
        ("l4-5", "either", ["L4"]),
        ("t9-10 to t11-12", "either", ["T9", "T10", "T11"]),
        ("l2, 3 and 4", "vertebrae", ["L2", "L3", "L4"]),
        ("l3-4, 4-5 and 5-1", "discs", ["L3", "L4", "L5"]),
        ("l4 on l5", "discs", ["L4"]),
        ("between l4 and l5", "discs", ["L4"]),
        ("t11 through l1", "vertebrae", ["T11", "T12", "L1"]),
        ("the lower three lumbar discs", "discs", ["L3", "L4", "L5"]),
        ("two upper lumbar discs", "discs", ["L1", "L2"]),
        ("all cervical discs", "discs", ["C2", "C3", "C4", "C5", "C6"]),
        ("lumbosacral junction", "discs", ["L5"]),
        ("d7-d8", "discs", ["T7"]),
        ("l5-l6 and l6-s1", "discs", ["L5", "L6"]),
        ("l4-5 to l6-s1", "discs", ["L4", "L5", "L6"]),
        ("t12-l1", "vertebrae", ["T12", "L1"]),
        ("l3-l4-l5", "discs", ["L3", "L4"]),
        ("c1-2", "discs", []),
        ("l4-5, 3 mm", "discs", ["L4"]),
        ("multilevel", "discs", []),
        ("l9 and c12", "discs", []),
        ("l5-4", "discs", []),
    ],
)
def test_levels_are_read(text, of, levels):
    assert [level for group in groups(text) for level in group.levels(of=of)] == levels


@pytest.mark.parametrize(
    "text",
    [
        "t2-weighted images", "t1 and t2 signal", "high t2 signal", "on t2", "t2/stir hyperintensity", "s1 nerve root",
        "the traversing l5 root", "exiting left l4 nerve", "the conus lies at l1-2", "l5 and s1 nerve roots",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_level_is_hidden(text):
    assert groups(hidden(text)) == []


@pytest.mark.parametrize("text", ["t1-t2 disc", "t2 vertebra", "t1/t2: bulge", "fracture of t2"])
def test_the_first_thoracic_vertebrae_are_levels(text):
    assert groups(hidden(text))[0].levels(of="discs")[0] in ("T1", "T2")


WORDS = {
    "disc_bulge": "disc bulge|bulging annulus|annular bulge|disc bulging",
    "disc_osteophyte_complex": "disc osteophyte complex|disc-osteophyte bar|disco-osteophytic complex|DOC"
    "|spondylotic ridge"
    "|disc/osteophyte complex|disc bulge-osteophyte complex",
    "uncovertebral_osteophyte": "uncovertebral osteophytes|uncovertebral joint hypertrophy|uncinate spurs|UV spurring",
    "protrusion": "disc protrusion|herniated disc|HNP|disc prolapse|disc herniation",
    "extrusion": "disc extrusion|sequestered fragment|free fragment|sequestration",
    "desiccation": "desiccated disc|disc dehydration|DDD|degenerative disc disease|dark disc|loss of T2 signal at L4-5"
    "|Pfirrmann grade 4|discs are degenerate",
    "endplate_change": "Modic type 1 changes|Schmorl's node|endplate irregularity|end plate oedema|irregular endplates",
    "annular_fissure": "annular fissure|tear of the annulus fibrosus|HIZ|high intensity zone|radial tear",
    "bone_lesion": "haemangioma|vertebral metastases|lytic lesion|bone island|bone lesion|L3 lesion",
    "congenital_canal_narrowing": "congenital canal stenosis|short pedicles|developmentally narrow canal",
    "cord_abnormality": "cord signal abnormality|abnormal cord signal|myelomalacia|syrinx|cord compression"
    "|T2 hyperintensity in the cord",
    "fracture": "compression fracture|wedge deformity|compression deformity|vertebral collapse|"
    "loss of vertebral body height",
    "soft_tissue_oedema": "soft tissue oedema|paraspinal edema|prevertebral swelling|interspinous oedema",
    "spinal_stenosis": "central canal stenosis|narrowing of the spinal canal|canal and foraminal stenosis|"
    "the canal is narrowed",
    "spondylolisthesis": "anterolisthesis|retrolisthesis|listhesis|anterior slip of L4 on L5",
    "scoliosis": "scoliosis|dextroscoliosis|lumbar curve convex to the left",
    "kyphosis_or_lordosis": "straightening of the lordosis|loss of lordosis|exaggerated kyphosis"
    "|the lordosis is reversed",
    "transitional_vertebra": "transitional lumbosacral vertebra|sacralisation of L5|lumbarised S1|LSTV",
    "tarlov_cyst": "Tarlov cyst|perineural cysts|sacral nerve root cyst",
}  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "words"), [(name, words) for name, told in WORDS.items() for words in told.split("|")]
)
def test_words_name_their_condition(condition, words):
    assert [m.condition for m in mentions(hidden(plain(words))) if m.condition] == [condition]


@pytest.mark.parametrize(
    "words",
    ["foraminal narrowing", "lateral recess stenosis", "facet hypertrophy", "disc space narrowing", "renal cyst",
     "rib fracture",
     "normal thoracic kyphosis", "lordosis is maintained", "pars defects", "hiatus hernia", "liver haemangioma",
     "flattening of the cord", "synovial cyst", "spondylosis", "loss of disc height"],
)  # fmt: skip
def test_other_things_name_none(words):
    assert [m.condition for m in mentions(plain(words)) if m.condition] == []


def test_every_pattern_has_a_stem_in_what_it_matches():
    texts = [hidden(plain(words)) for told in WORDS.values() for words in told.split("|")]
    for pattern in PATTERNS:
        assert pattern.stems.split()
    assert all(mentions(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("mild to moderate bulge", [2]), ("mild-to-moderate", [2]), ("moderate-severe", [3]), ("mild/moderate", [2]),
        ("minimal, small, slight, tiny", [1, 1, 1, 1]), ("marked", [3]), ("large", [3]), ("advanced", [3]),
        ("near complete", [4]), ("nearly complete", [4]), ("most severe at", []), ("more marked", []), ("none", [0]),
        ("moderately", [2]), ("mildness", []),
    ],
)  # fmt: skip
def test_degrees_are_read(text, codes):
    assert [d.code for d in degrees(text)] == codes


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("no bulge or fissure", "fissure", "negated"),
        ("no bulge, severe stenosis, or fissure", "fissure", "negated"),
        ("no fracture, mild bulge", "bulge", None),
        ("no fracture but bulge", "bulge", None),
        ("bulge without stenosis", "stenosis", "negated"),
        ("bulge without stenosis", "bulge", None),
        ("stenosis is not seen", "stenosis", "negated"),
        ("fissure, stenosis is not seen", "fissure", None),
        ("stenosis: none", "stenosis", "negated"),
        ("no change in the bulge", "bulge", None),
        ("no more than mild bulge", "bulge", None),
        ("bulge not seen previously", "bulge", None),
        ("possible fissure", "fissure", "hedged"),
        ("possible fissure, bulge", "bulge", None),
        ("cannot exclude fissure", "fissure", "hedged"),
        ("fissure cannot be excluded", "fissure", "hedged"),
        ("may represent fissure", "fissure", "hedged"),
        ("fissure?", "fissure", "hedged"),
        ("likely fissure", "fissure", None),
        ("probable fissure", "fissure", None),
        ("suspicious for metastasis", "metastasis", None),
        ("rule out fracture", "fracture", "asked"),
        ("? fracture", "fracture", "asked"),
        ("history of fracture", "fracture", "historical"),
        ("previous fracture", "fracture", "historical"),
        ("previous fracture is unchanged", "fracture", None),
        ("compared with the previous study, bulge", "bulge", None),
        ("status post laminectomy for stenosis", "stenosis", "historical"),
        ("the extrusion has resolved", "extrusion", "resolved"),
        ("no longer any extrusion", "extrusion", "resolved"),
        ("unchanged bulge", "bulge", None),
        ("bulge is unlikely", "bulge", "negated"),
        ("prevalence in people without pain: bulge (60%)", "bulge", "historical"),
    ],
)
def test_what_a_sentence_does_not_tell(text, word, kind):
    assert kind_at(scopes(text), text.index(word)) == kind
