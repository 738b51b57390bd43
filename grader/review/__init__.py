"""Any template: checklist, tuning, prices, estimate, lint."""
