"""Who is who in the demo. Everything here is invented; the addresses end in ``.example``, which nobody owns."""

from __future__ import annotations

from typing import NamedTuple

from backend.accounts.models import OrganisationKind, Role

# One password for every demo account. Never for real data: `load_demo` refuses a database that holds some.
PASSWORD = "yixiang-demo"  # noqa: S105  (printed by `make demo`)


class Place(NamedTuple):
    """An organisation; ``register`` is the part of the credit code that tells them apart."""

    code: str
    kind: OrganisationKind
    name: str
    name_en: str
    region: str
    area: str
    register: str
    address: str = ""


class Account(NamedTuple):
    email: str
    name: str
    organisation: str
    roles: tuple[str, ...]
    role_zh: str
    role_en: str


UNIVERSITY, MATERIALS, AGRICULTURE, NETWORK = "SLDX", "SLCL", "SLNK", "network"
_INSTITUTION, _ENTERPRISE = OrganisationKind.INSTITUTION, OrganisationKind.ENTERPRISE

PLACES = (
    Place(NETWORK, OrganisationKind.NETWORK, "示例大型仪器共享网", "Example Instrument Sharing Network", "呼和浩特",
          "150102", "00000010", "示例路 1 号"),
    Place(UNIVERSITY, _INSTITUTION, "示例大学分析测试中心", "Analytical Centre of Example University", "呼和浩特",
          "150105", "00000021", "赛罕区示例大学东校区 3 号楼"),
    Place(MATERIALS, _INSTITUTION, "示例材料研究所", "Example Institute of Materials", "包头",
          "150203", "00000032", "昆都仑区示例大街 28 号"),
    Place(AGRICULTURE, _INSTITUTION, "示例农业科学院", "Example Academy of Agricultural Sciences", "呼和浩特",
          "150104", "00000043", "玉泉区示例路 22 号"),
    Place("example-newmat", _ENTERPRISE, "示例新材料科技有限公司", "Example New Materials Co., Ltd.", "包头",
          "150207", "00000101", "稀土高新区示例路 8 号"),
    Place("example-dairy", _ENTERPRISE, "示例乳业股份有限公司", "Example Dairy Co., Ltd.", "呼和浩特",
          "150123", "00000202", "和林格尔县示例园区"),
    Place("example-rare-earth", _ENTERPRISE, "示例稀土功能材料有限公司", "Example Rare Earth Co., Ltd.", "包头",
          "150203", "00000303", "昆都仑区示例工业园"),
    Place("example-pharma", _ENTERPRISE, "示例生物制药有限公司", "Example Biopharma Co., Ltd.", "通辽",
          "150502", "00000404", "科尔沁区示例街 5 号"),
    Place("example-testing", _ENTERPRISE, "示例检测技术服务有限公司", "Example Testing Services Co., Ltd.", "鄂尔多斯",
          "150603", "00000505", "康巴什区示例路 16 号"),
)  # fmt: skip

# Those that `make demo` prints.
ACCOUNTS = (
    Account("enterprise@demo.example", "李静", "example-newmat", (Role.MEMBER, Role.ADMIN),
            "企业用户：检索、预约、账单", "Enterprise: search, book, see bills"),
    Account("manager@demo.example", "王建国", UNIVERSITY, (Role.MANAGER,),
            "仪器管理员：审批、使用记录", "Lab manager: approve, log use"),
    Account("finance@demo.example", "赵敏", UNIVERSITY, (Role.FINANCE,),
            "财务：结算单、导出", "Finance: invoices, exports"),
    Account("admin@demo.example", "陈晓东", UNIVERSITY, (Role.ADMIN,),
            "机构管理员", "Institution administrator"),
    Account("network@demo.example", "刘洋", NETWORK, (Role.OPERATOR,),
            "网络运营", "Network operator"),
    Account("other@demo.example", "孙丽", "example-dairy", (Role.MEMBER, Role.ADMIN),
            "另一家企业", "Another enterprise"),
    Account("manager2@demo.example", "周强", MATERIALS, (Role.MANAGER,),
            "另一机构的仪器管理员", "Another institution's lab manager"),
)  # fmt: skip

# Colleagues, so that lists have more than one name.
OTHERS = (
    Account("wu.fang@demo.example", "吴芳", UNIVERSITY, (Role.MANAGER,), "", ""),
    Account("zheng.lei@demo.example", "郑磊", UNIVERSITY, (Role.MEMBER,), "", ""),
    Account("feng.xue@demo.example", "冯雪", UNIVERSITY, (Role.MEMBER,), "", ""),
    Account("he.jun@demo.example", "何军", MATERIALS, (Role.ADMIN, Role.FINANCE), "", ""),
    Account("xu.ning@demo.example", "许宁", MATERIALS, (Role.MEMBER,), "", ""),
    Account("ma.chao@demo.example", "马超", AGRICULTURE, (Role.MANAGER, Role.ADMIN), "", ""),
    Account("gao.min@demo.example", "高敏", AGRICULTURE, (Role.FINANCE,), "", ""),
    Account("lin.yan@demo.example", "林燕", AGRICULTURE, (Role.MEMBER,), "", ""),
    Account("zhang.tao@demo.example", "张涛", "example-newmat", (Role.MEMBER,), "", ""),
    Account("bai.yun@demo.example", "白云", "example-dairy", (Role.MEMBER,), "", ""),
    Account("ren.bo@demo.example", "任博", "example-rare-earth", (Role.MEMBER, Role.ADMIN), "", ""),
    Account("song.jia@demo.example", "宋佳", "example-pharma", (Role.MEMBER, Role.ADMIN), "", ""),
    Account("tang.wei@demo.example", "唐伟", "example-testing", (Role.MEMBER, Role.ADMIN), "", ""),
)

# Organisation, number, name.
PROJECTS = (
    ("example-newmat", "XCL-2026-01", "高性能石墨负极材料"),
    ("example-newmat", "XCL-2026-02", "固态电解质"),
    ("example-dairy", "RY-2026-07", "婴幼儿配方奶粉品质提升"),
    ("example-rare-earth", "XT-2026-03", "稀土永磁薄膜"),
    ("example-pharma", "SY-2026-11", "发酵工艺优化"),
    ("example-testing", "JC-2026-05", "土壤普查样品检测"),
    (UNIVERSITY, "DX-2026-21", "自治区科技重大专项"),
    (MATERIALS, "CL-2026-09", "耐热钢组织演变"),
    (AGRICULTURE, "NK-2026-14", "马铃薯品质评价"),
)

# Institution, customer, contract number.
AGREEMENTS = (
    (UNIVERSITY, "example-newmat", "DX-GX-2026-003"),
    (UNIVERSITY, "example-dairy", "DX-GX-2026-011"),
    (MATERIALS, "example-newmat", "CL-GX-2026-002"),
    (MATERIALS, "example-rare-earth", "CL-GX-2026-005"),
    (AGRICULTURE, "example-dairy", "NK-GX-2026-001"),
)
