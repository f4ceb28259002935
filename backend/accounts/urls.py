from django.urls import path

from backend.accounts.views import agreements, joining, members, network, organisation, personal, record

app_name = "accounts"

urlpatterns = [
    # How people come in.
    path("register/", joining.register, name="register"),
    path("register/<int:pk>/", joining.registration, name="registration"),
    path("invitation/<str:secret>/", joining.invitation, name="invitation"),
    path("invitation/<str:secret>/accept/", joining.accept, name="accept_invitation"),
    # A person's own affairs. django-allauth has more under account/.
    path("account/organisation/", personal.switch_organisation, name="switch_organisation"),
    path("account/profile/", personal.profile, name="profile"),
    path("account/profile/confirm-address/", personal.confirm_address, name="confirm_address"),
    path("account/signed-in/", personal.sessions, name="sessions"),
    path("account/signed-in/end/", personal.sign_out, name="sign_out_everywhere"),
    path("account/tokens/", personal.tokens, name="tokens"),
    path("account/tokens/new/", personal.new_token, name="new_token"),
    path("account/tokens/<int:pk>/revoke/", personal.drop_token, name="revoke_token"),
    # The organisation that the person acts for.
    path("organisation/", organisation.organisation, name="organisation"),
    path("organisation/members/", members.members, name="members"),
    path("organisation/projects/", organisation.projects, name="projects"),
    path("organisation/log/", record.log, name="log"),
    # What is written names the organisation: another browser tab may have switched meanwhile.
    path("organisation/<int:organisation>/edit/", organisation.edit, name="edit_organisation"),
    path("organisation/<int:organisation>/leave/", organisation.leave, name="leave"),
    path("organisation/<int:organisation>/members/<int:user>/", members.member, name="member"),
    path("organisation/<int:organisation>/members/<int:user>/roles/", members.change_roles, name="set_roles"),
    path("organisation/<int:organisation>/members/<int:user>/scope/", members.change_scope, name="set_scope"),
    path("organisation/<int:organisation>/members/<int:user>/end/", members.end, name="end_membership"),
    path("organisation/<int:organisation>/invitations/", members.new_invitation, name="invite"),
    path("organisation/<int:organisation>/invitations/<int:pk>/resend/", members.resend, name="resend_invitation"),
    path("organisation/<int:organisation>/invitations/<int:pk>/revoke/", members.revoke, name="revoke_invitation"),
    path("organisation/<int:organisation>/groups/", organisation.new_group, name="new_group"),
    path("organisation/<int:organisation>/groups/<int:pk>/", organisation.edit_group, name="edit_group"),
    path("organisation/<int:organisation>/projects/", organisation.new_project, name="new_project"),
    path("organisation/<int:organisation>/projects/<int:pk>/", organisation.edit_project, name="edit_project"),
    # What an institution has agreed with its customers.
    path("manage/agreements/", agreements.agreements, name="agreements"),
    path("manage/agreements/new/", agreements.create, name="agreement_new"),
    path("manage/agreements/<int:pk>/", agreements.agreement, name="agreement"),
    path("manage/agreements/<int:pk>/end/", agreements.end, name="agreement_end"),
    # The network's operator.
    path("registrations/", network.registrations, name="registrations"),
    path("registrations/<int:pk>/confirm/", network.confirm, name="confirm_registration"),
    path("registrations/<int:pk>/refuse/", network.refuse, name="refuse_registration"),
]
