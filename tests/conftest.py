from __future__ import annotations

from hypothesis import settings

settings.register_profile("sk_hpo", deadline=None, max_examples=50)
settings.load_profile("sk_hpo")
