"""An independent, slow account of the rules (design, section 3). Must share no rule with `service/reconcile`.

Of the service it imports the words only: `model` and `instant`.
"""
