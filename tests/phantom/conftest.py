"""Makes ``bodies`` importable from the folders below."""
