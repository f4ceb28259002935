import pytest
from tests.access.walk import Walk
from tests.access.rights import TABLE
from tests.access.world import ROLES
from tests.test_access import without_line, expected, walkers, NEVER_DONE
pytestmark = pytest.mark.django_db
def test_mine(world):
    walk=Walk(world); ops=[o for o in walk.operations() if "sample" in o.route]
    print(len(ops)); bad=[]
    for o in ops:
        if str(o) not in TABLE: bad.append(("noline",str(o))); continue
        for r in walkers(o):
            a=walk.usual(o,r)
            if a.verdict!=expected(o,r): bad.append((str(o),r,a.verdict,expected(o,r),a.text[:150] if a.status>=500 else ""))
        ok=[r for r in ROLES if walk.usual(o,r).status<400]
        if not ok and str(o) not in NEVER_DONE: bad.append(("never",str(o),walk.usual(o,"manager").text[-400:]))
    assert not bad, "\n".join(map(str,bad))
