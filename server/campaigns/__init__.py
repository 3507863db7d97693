"""Campaigns 政策通知: a notice to everybody whom it concerns, approved by a second person."""
