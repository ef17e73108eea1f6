"""Radiographs and the densitometer's lateral films (VFA): headers, pictures, view and facing."""
