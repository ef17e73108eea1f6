"""Weightings by the words of several makers and by times."""

from __future__ import annotations

import pytest

from spineclock.ingest.weighting import weighting


@pytest.mark.parametrize(
    ("text", "echo", "repetition", "inversion", "sequence"),
    [
        ("t2_tse_sag_384", 105, 3500, None, "T2w"),
        ("sT2W_TSE SENSE", 100, 3000, None, "T2w"),
        ("Sag T2 FRFSE", 102, 3200, None, "T2w"),
        ("T2 SPACE SAG ISO", 131, 1500, None, "T2w"),
        ("t2_spc_sag", None, None, None, "T2w"),
        ("SAG", 98, 3500, None, "T2w"),
        ("SAG", 60, 1500, None, "T2w"),
        ("SAG", 59.9, 1500, None, ""),
        ("SAG", 60, 1499, None, ""),
        ("SAG", 29, 1199, None, "T1w"),
        ("SAG", 30, 1199, None, ""),
        ("t1_tse_sag", 11, 600, None, "T1w"),
        ("T1 FLAIR SAG", 24, 2500, 900, "T1w"),
        ("SAG", 30, 2500, None, "PDw"),
        ("pd_tse_sag", 30, 2500, None, "PDw"),
        ("t2_tirm_sag", 60, 4500, 150, "STIR"),
        ("STIR_longTE", 70, 3500, None, "STIR"),
        ("SAG", 70, 4000, 160, "STIR"),
        ("T2 FLAIR", 120, 9000, 2500, "FLAIR"),
        ("t2_tse_dixon_sag_W", 98, 3500, None, "Dixon"),
        ("T2 mDIXON", 98, 3500, None, "Dixon"),
        ("t2_tse_fs_sag", 90, 3500, None, "T2w-fs"),
        ("T2 SPAIR", 90, 3500, None, "T2w-fs"),
        ("t1_tse_fs_sag_KM", 11, 600, None, "T1w-fs"),
        ("t2* medic tra", 17, 900, None, "T2star"),
        ("ep2d_diff_sag", 80, 4000, None, "DWI"),
        ("", None, None, None, ""),
        ("sag", 98, None, None, ""),
    ],
)
def test_weighting(text, echo, repetition, inversion, sequence):
    found = weighting(text, echo_ms=echo, repetition_ms=repetition, inversion_ms=inversion)
    assert found.sequence == sequence


@pytest.mark.parametrize("kind", [("ORIGINAL", "PRIMARY", "W"), ("DERIVED", "PRIMARY", "FAT"), ("O", "P", "IP", "T2")])
def test_dixon_by_image_type(kind):
    assert weighting("t2 sag", echo_ms=98, repetition_ms=3500, image_type=kind).sequence == "Dixon"


def test_scan_options_tell_of_suppressed_fat():
    assert weighting("t2 sag", echo_ms=98, repetition_ms=3500, fat_suppressed=True).sequence == "T2w-fs"


def test_times_are_believed_against_words_with_a_note():
    found = weighting("t1_tse_sag", echo_ms=98, repetition_ms=3500)
    assert found.sequence == "T2w"
    assert "described as T1w, but TE 98 ms and TR 3500 ms are those of T2w" in found.notes[0]
