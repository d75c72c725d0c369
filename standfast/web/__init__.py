"""The JSON API, the metrics and the page: all of it reads projections."""
