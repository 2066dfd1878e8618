"""Forms that were opened while their page was loading: a click may overtake the event with which a page begins.

That event closes what was left open at the last visit; it must not close what somebody opened a moment ago.
"""

import time

LOADING_S = 10  # a page that takes longer to begin is a rare one


def now() -> float:
    """When a form is opened."""
    return time.time()


def is_early(opened_at: float) -> bool:
    """Tell whether a form was opened so recently that the page may just have begun."""
    return 0 <= time.time() - opened_at < LOADING_S
