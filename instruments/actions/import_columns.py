"""What the columns of a table are called: by us, by the national interface, and by people in Chinese."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

# Column → field, for plain text.
TEXTS = {
    "local_no": "local_no", "name_zh": "name", "name_en": "name_en", "belongs_name": "belongs_name",
    "manufacturer": "manufacturer", "model": "model", "nation": "nation", "technical": "technical",
    "function": "function", "service_content": "service_content", "requirement": "requirement",
    "regulations": "regulations", "fee": "fee", "service_url": "service_url", "department": "department",
    "region": "region", "province": "province", "city": "city", "county": "county", "street": "street",
    "address": "address", "postcode": "postcode", "contact_name": "contact_name", "contact_phone": "contact_phone",
    "contact_email": "contact_email", "funds": "funds", "declaration_no": "declaration_no",
}  # fmt: skip
CHOICES = ("condition", "sharing", "source", "kind", "belongs_type")
DECIMALS = ("worth", "run_hours", "service_hours")
DATES = ("begin_date", "declaration_date")
OTHERS = ("category", "technique", "subject", "units", "modes", "customs_supervised")
COLUMNS = (*TEXTS, *CHOICES, *DECIMALS, *DATES, *OTHERS)
REQUIRED = ("local_no", "name_zh")

# The template in an order that people fill in.
TEMPLATE = (
    "local_no", "name_zh", "name_en", "category", "technique", "kind", "manufacturer", "model", "nation", "source",
    "worth", "begin_date", "subject", "units", "modes", "condition", "sharing", "function", "technical",
    "service_content", "requirement", "regulations", "fee", "service_url", "run_hours", "service_hours", "department",
    "region", "province", "city", "county", "street", "address", "postcode", "contact_name", "contact_phone",
    "contact_email", "belongs_type", "belongs_name", "funds", "customs_supervised", "declaration_no",
    "declaration_date",
)  # fmt: skip

_NATIONAL = {
    "innerid": "local_no", "cname": "name_zh", "ename": "name_en", "instrcategory": "category",
    "instrbelongstype": "belongs_type", "instrbelongsname": "belongs_name", "instrsource": "source", "type": "kind",
    "instrversion": "model", "begindate": "begin_date", "servicecontent": "service_content",
    "serviceurl": "service_url", "runmachine": "run_hours", "servicemachine": "service_hours",
    "insidedepart": "department",
    "contact": "contact_name", "phone": "contact_phone", "email": "contact_email", "zip": "postcode",
    "instrsupervise": "customs_supervised",
}  # fmt: skip
# In a table with national names the word means the opening regulations; with ours, the samples.
_NATIONAL_ONLY = {"requirement": "regulations"}
# What we neither need nor keep.
IGNORED = {"inscode", "image", "单位标识", "图片", "序号"}
_CHINESE = {
    "单位内编号": "local_no", "编号": "local_no", "仪器编号": "local_no", "中文名称": "name_zh", "仪器名称": "name_zh",
    "名称": "name_zh", "英文名称": "name_en", "附属类型": "belongs_type", "附属名称": "belongs_name",
    "分类编码": "category", "仪器分类": "category", "技术": "technique", "技术方法": "technique", "来源": "source",
    "原值": "worth", "仪器原值": "worth", "类别": "kind", "仪器类别": "kind", "产地国别": "nation", "产地": "nation",
    "国别": "nation", "厂商": "manufacturer", "生产厂商": "manufacturer", "制造商": "manufacturer", "型号": "model",
    "规格型号": "model", "启用日期": "begin_date", "主要科学领域": "subject", "科学领域": "subject",
    "技术指标": "technical", "主要技术指标": "technical", "功能": "function", "主要功能": "function",
    "服务内容": "service_content", "样品要求": "requirement", "送样要求": "requirement", "开放规定": "regulations",
    "收费": "fee", "收费标准": "fee", "预约网址": "service_url", "年运行机时": "run_hours", "运行机时": "run_hours",
    "年服务机时": "service_hours", "服务机时": "service_hours", "经费来源": "funds", "所属部门": "department",
    "部门": "department", "地区": "region", "省": "province", "省份": "province", "市": "city", "县": "county",
    "区县": "county", "街道": "street", "地址": "address", "详细地址": "address", "邮编": "postcode",
    "邮政编码": "postcode", "联系人": "contact_name", "电话": "contact_phone", "联系电话": "contact_phone",
    "邮箱": "contact_email", "电子邮箱": "contact_email", "海关监管": "customs_supervised",
    "报关单号": "declaration_no",
    "报关单编号": "declaration_no", "报关日期": "declaration_date",
    "运行状态": "condition", "状态": "condition",
    "共享模式": "sharing", "单元数": "units", "台数": "units", "使用方式": "modes", "服务方式": "modes",
}  # fmt: skip
_ASIDE = re.compile(r"[(\[].*?[)\]]|[*\s]")


class Known(Enum):
    """What a header cell can be besides a column."""

    UNKNOWN = "unknown"
    IGNORED = "ignored"


def columns_of(header: list[str]) -> list[str | Known]:
    """Our column for each cell of the header line, whatever language and case it is in."""
    plain = [_plain(cell) for cell in header]
    national = bool({"innerid", "cname"} & set(plain))
    return [_column(name, national=national) for name in plain]


def chinese_name(column: str) -> str:
    """The usual Chinese heading of a column: the first of those that are understood."""
    return next((word for word, known in _CHINESE.items() if known == column), column)


def heading(column: str, language: str) -> str:
    """What readers of the language call a column; a cell of the table itself stays as it is."""
    return column if language.startswith("en") else chinese_name(column)


def _column(name: str, *, national: bool) -> str | Known:
    if name in IGNORED:
        return Known.IGNORED
    if national and name in _NATIONAL_ONLY:
        return _NATIONAL_ONLY[name]
    if name in COLUMNS:
        return name
    return _NATIONAL.get(name) or _CHINESE.get(name) or Known.UNKNOWN


def _plain(cell: str) -> str:
    """Half width, lower case, without remarks in brackets: 原值（万元）* → 原值."""
    return _ASIDE.sub("", unicodedata.normalize("NFKC", cell)).strip().lower()
