"""A first network on data of one's own, beside simple models: `triptych train`."""
