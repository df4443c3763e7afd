"""Write rules as Roundcube's plugin managesieve does: `# rule:[Name]`; one that is off is `if false # test`.

Source:
    roundcubemail, plugins/managesieve/lib/Roundcube/rcube_sieve_script.php (as_text, _parse_text)
"""

from __future__ import annotations

from connectors.sieve.dialects.dialect import Dialect, block, notes, one
from model.sieve_rule import SieveRule


def lines(rule: SieveRule, number: int) -> tuple[str, ...]:
    """Return the lines of a rule."""
    del number
    test, *rest = block(rule)
    condition = test if rule.active else f"if false # {rule.test}"
    return (*notes(rule), f"# rule:[{rule.name}]", condition, *rest)


ROUNDCUBE = Dialect(script="roundcube", fixed=False, lines=lines, first=one)
