"""Files in, scans out: discovery, headers, samples and what is wrong with them."""
