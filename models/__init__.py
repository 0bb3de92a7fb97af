"""Pure numerics: geometry, atmosphere, ambiguities, the error field and rover positioning.

No clock, no files, no network. Estimators are ``init`` and ``step`` on explicit state.
"""
