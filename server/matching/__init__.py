"""Personalised service: what is due to whom, by rules that the city wrote down, and consent."""
