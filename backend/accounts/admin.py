"""Django's admin for the network's operators: organisations, people, memberships, agreements; changes are audited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.accounts.auth import access
from backend.accounts.models import Agreement, Membership, Organisation, OrganisationKind, User
from backend.accounts.own_actions.members import end_membership
from backend.accounts.queries import membership_chain
from backend.audit.actions import record

# The same door as everybody's: throttled, with the second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = gettext_lazy("Yixiang: network administration")
admin.site.site_title = gettext_lazy("Yixiang")
admin.site.index_title = gettext_lazy("Organisations, people and agreements")


if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]  # at run time the class takes no parameter
else:
    Base = admin.ModelAdmin


class Audited(Base):
    """Operators may see and change, never delete what something refers to; the organisation's record says who did."""

    list_per_page = 50
    show_full_result_count = False
    word = ""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_operator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_operator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and _is_operator(request) and not is_referenced(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[Any], change: bool) -> None:
        fields = [name for name in form.changed_data if name in {field.attname for field in obj._meta.fields}]
        fields += [f"{name}_id" for name in form.changed_data if f"{name}_id" in _columns(obj)]
        stored = type(obj)._default_manager.filter(pk=obj.pk).values(*fields).first() if change and fields else {}
        super().save_model(request, obj, form, change)
        after = {name: getattr(obj, name) for name in fields}
        self._record(request, obj, "change" if change else "create", before=stored or {}, after=after)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._record(request, obj, "delete", before={name: getattr(obj, name) for name in sorted(_columns(obj))})
        super().delete_model(request, obj)

    def chain_of(self, request: HttpRequest, obj: Any) -> int | None:
        """The organisation whose record takes the change."""
        raise NotImplementedError

    def _record(self, request: HttpRequest, obj: Any, verb: str, **values: Mapping[str, Any]) -> None:
        organisation_id = self.chain_of(request, obj)
        if organisation_id is not None:
            record(
                organisation_id=organisation_id,
                actor_id=request.user.pk,
                action=f"{self.word}.{verb}",
                object_type=self.word.replace("membership", "member").replace("person", "user"),
                object_id=obj.pk,
                reason=_("By the network's operator."),
                **values,
            )


def _is_operator(request: HttpRequest) -> bool:
    user = request.user
    return user.is_active and user.is_staff and (user.is_superuser or access(request).is_operator)


def _columns(obj: Model) -> set[str]:
    return {field.attname for field in obj._meta.concrete_fields}


def is_referenced(obj: Model) -> bool:
    """Whether any row of any table refers to this one."""
    for relation in obj._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and relation.related_model:
            column = getattr(relation, "field", None)
            model = relation.related_model
            if (
                column is not None
                and isinstance(model, type)
                and model._default_manager.filter(**{column.name: obj.pk})
            ):
                return True
    return False


@admin.register(Organisation)
class OrganisationAdmin(Audited):
    word = "organisation"
    list_display = ["name", "kind", "status", "region", "uscc", "code"]
    list_filter = ["kind", "status", "region"]
    search_fields = ["name", "name_en", "uscc", "code"]

    def chain_of(self, request: HttpRequest, obj: Organisation) -> int:
        return obj.pk

    def get_readonly_fields(self, request: HttpRequest, obj: Organisation | None = None) -> list[str]:
        # The code is in addresses and files of others.
        return ["code"] if obj else []


@admin.register(User)
class UserAdmin(Audited):
    word = "person"
    list_display = ["name", "email", "phone", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "language"]
    search_fields = ["name", "email", "phone"]
    fields = ["name", "email", "phone", "language", "is_active", "is_staff", "last_login", "date_joined"]
    readonly_fields = ["last_login", "date_joined"]

    def chain_of(self, request: HttpRequest, obj: User) -> int | None:
        """That of the network, because a person may belong to several organisations; else their own."""
        network = Organisation.objects.filter(kind=OrganisationKind.NETWORK).order_by("pk").first()
        return network.pk if network else membership_chain(obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        # Who may enter this site is decided by those who installed it; nobody locks themselves out.
        own = ["is_active"] if obj and obj.pk == request.user.pk else []
        return [*self.readonly_fields, *own, *([] if request.user.is_superuser else ["is_staff"])]

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[Any], change: bool) -> None:
        obj.email = obj.email.lower()
        if not change:
            # The person sets the password by the link “Forgot the password?”.
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)


@admin.register(Membership)
class MembershipAdmin(Audited):
    word = "membership"
    list_display = ["user", "organisation", "role", "all_instruments", "since", "ended_at"]
    list_filter = ["role", "organisation__kind", ("ended_at", admin.EmptyFieldListFilter)]
    search_fields = ["user__name", "user__email", "organisation__name"]
    list_select_related = ["user", "organisation"]
    autocomplete_fields = ["user", "organisation"]
    readonly_fields = ["since", "ended_at"]
    actions = ["end"]

    def chain_of(self, request: HttpRequest, obj: Membership) -> int:
        return obj.organisation_id

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> list[str]:
        return [*self.readonly_fields, *(["user", "organisation", "role"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description=gettext_lazy("End all roles of these people in these organisations"))
    def end(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        pairs = {(row.user, row.organisation) for row in queryset.filter(ended_at=None)}
        assert isinstance(request.user, User)
        for user, organisation in sorted(pairs, key=lambda pair: (pair[1].pk, pair[0].pk)):
            end_membership(organisation=organisation, user=user, by=request.user)
        messages.success(request, _("Ended: %(number)d") % {"number": len(pairs)})


@admin.register(Agreement)
class AgreementAdmin(Audited):
    word = "agreement"
    list_display = ["number", "institution", "customer", "audience", "valid_from", "valid_to"]
    list_filter = ["audience", "valid_from"]
    search_fields = ["number", "institution__name", "customer__name"]
    list_select_related = ["institution", "customer"]
    autocomplete_fields = ["institution", "customer"]

    def chain_of(self, request: HttpRequest, obj: Agreement) -> int:
        return obj.institution_id
