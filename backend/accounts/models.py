"""People, organisations and what each person may do in them."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email=(email or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person; signs in with mail and password. ``language`` is the language of their mail."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=80)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="zh-hans")
    is_staff = models.BooleanField(_("network operator's site"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(auto_now_add=True)
    # Part of every session's check: counting it up ends all of the person's sessions, wherever they are kept.
    session_epoch = models.PositiveIntegerField(default=0)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's own hook for both of its session checks; it knows only the password."""
        salt = "backend.accounts.models.User.session"
        return salted_hmac(salt, f"{self.password}|{self.session_epoch}", secret=secret, algorithm="sha256").hexdigest()


class OrganisationKind(models.TextChoices):
    INSTITUTION = "institution", _("Institution")
    ENTERPRISE = "enterprise", _("Enterprise")
    NETWORK = "network", _("Network")


class OrganisationStatus(models.TextChoices):
    PENDING = "pending", _("To be confirmed")
    ACTIVE = "active", _("Active")
    CLOSED = "closed", _("Closed")


class Organisation(models.Model):
    """An institution that hosts instruments, an enterprise that books them, or the network itself."""

    kind = models.CharField(_("kind"), max_length=12, choices=OrganisationKind.choices)
    status = models.CharField(
        _("status"), max_length=10, choices=OrganisationStatus.choices, default=OrganisationStatus.ACTIVE
    )
    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=150, blank=True)
    uscc = models.CharField(_("unified social credit code"), max_length=18, unique=True, null=True, blank=True)
    region = models.CharField(_("region"), max_length=30, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    bank = models.CharField(_("bank"), max_length=100, blank=True)
    bank_account = models.CharField(_("bank account"), max_length=40, blank=True)
    # ISO 3166, two letters; who is abroad has the number of their own tax authority instead of the credit code.
    country = models.CharField(_("country"), max_length=2, default="CN")
    vat_id = models.CharField(_("tax number abroad"), max_length=20, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    timezone = models.CharField(_("time zone"), max_length=40, default="Asia/Shanghai")
    # Kept beside what they tell, so that booking asks for neither where there is none: whether as an institution it
    # wants prepaid amounts, and whether as a customer it has rules or budgets for its own spending.
    asks_prepaid = models.BooleanField(default=False, editable=False)
    rules_spending = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["kind", "region"], name="organisation_by_region")]

    def __str__(self) -> str:
        return self.name

    def label(self, language: str) -> str:
        return self.name_en if language == "en" and self.name_en else self.name


class Role(models.TextChoices):
    MEMBER = "member", _("Member")
    ADMIN = "admin", _("Administrator")
    MANAGER = "manager", _("Lab manager")
    FINANCE = "finance", _("Finance")
    OPERATOR = "operator", _("Network operator")


class MembershipQuerySet(models.QuerySet["Membership"]):
    def current(self) -> MembershipQuerySet:
        return self.filter(ended_at=None, user__is_active=True, organisation__status=OrganisationStatus.ACTIVE)


class Membership(models.Model):
    """One role of one person in one organisation; a person with two roles has two rows.

    A manager with ``all_instruments`` off manages only the instruments that name them.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    all_instruments = models.BooleanField(_("all instruments"), default=True)
    since = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation", "role"], condition=Q(ended_at=None), name="membership_once"
            )
        ]
        indexes = [models.Index(fields=["organisation", "role"], name="membership_by_role")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}@{self.organisation_id}"


class RegistrationStatus(models.TextChoices):
    PENDING = "pending", _("To be confirmed")
    CONFIRMED = "confirmed", _("Confirmed")
    REFUSED = "refused", _("Refused")


class Registration(models.Model):
    """An enterprise that somebody registered, until and after the network operator decided on it.

    The organisation is pending meanwhile. A refused one is closed and gives its credit code back, so that the
    enterprise itself can register; the code that was given stays here.
    """

    organisation = models.OneToOneField(Organisation, models.PROTECT, related_name="registration")
    user = models.ForeignKey(User, models.PROTECT, related_name="registrations")
    status = models.CharField(
        _("status"), max_length=10, choices=RegistrationStatus.choices, default=RegistrationStatus.PENDING
    )
    uscc = models.CharField(_("unified social credit code"), max_length=18)
    # The code begins with a letter: its check digit is right, but a person has to compare it with the licence.
    needs_review = models.BooleanField(_("code to be reviewed"), default=False)
    submitted_at = models.DateTimeField(_("submitted"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(_("reason"), blank=True)

    class Meta:
        indexes = [models.Index(fields=["status", "submitted_at"], name="registration_by_status")]

    def __str__(self) -> str:
        return f"{self.uscc} {self.status}"


INVITATION_LIFE = timedelta(days=14)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        """Neither accepted nor revoked; perhaps too old."""
        return self.filter(accepted_at=None, revoked_at=None)

    def valid(self) -> InvitationQuerySet:
        return self.open().filter(expires_at__gt=timezone.now(), organisation__status=OrganisationStatus.ACTIVE)


class Invitation(models.Model):
    """An offer of roles to whoever reads a mailbox. Only the digest of the link's secret is stored."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="invitations")
    email = models.EmailField(_("e-mail"))
    roles = models.JSONField(default=list)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    # When the mail last left; empty while it has not.
    sent_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} → {self.organisation_id}"

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()


class Group(models.Model):
    """A research group (课题组) of an organisation."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="groups")
    name = models.CharField(_("name"), max_length=80)
    members = models.ManyToManyField(User, related_name="research_groups", blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="group_name_once")]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """What an organisation books costs on."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="projects")
    group = models.ForeignKey(Group, models.SET_NULL, null=True, blank=True, related_name="projects")
    code = models.CharField(_("number"), max_length=40)
    name = models.CharField(_("name"), max_length=100)
    active = models.BooleanField(_("active"), default=True)
    leader = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="led_projects", verbose_name=_("leader")
    )

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["organisation", "code"], name="project_code_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class AgreementQuerySet(models.QuerySet["Agreement"]):
    def in_force(self, day: date) -> AgreementQuerySet:
        return self.filter(valid_from__lte=day).filter(Q(valid_to=None) | Q(valid_to__gte=day))


class Agreement(models.Model):
    """A contract between an institution and a customer; may give the customer an audience of its own."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="agreements_given")
    customer = models.ForeignKey(Organisation, models.PROTECT, related_name="agreements")
    number = models.CharField(_("contract number"), max_length=60)
    audience = models.CharField(_("audience"), max_length=30, blank=True)
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = AgreementQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "number"], name="agreement_number_once")]

    def __str__(self) -> str:
        return self.number


def digest_secret(secret: str) -> str:
    """Secrets have 256 random bits, so a plain hash is as safe as a slow one, and can be looked up."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(32)


class ApiToken(models.Model):
    """A machine's credential for one person; only its digest is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    read_only = models.BooleanField(_("read only"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def alive(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class IdempotencyKey(models.Model):
    """The answer to a request that may be sent twice; unique per principal and route."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    route = models.CharField(max_length=120)
    key = models.CharField(max_length=200)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    response = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "route", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
