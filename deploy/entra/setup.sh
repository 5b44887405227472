#!/bin/sh
# Registers the application in Entra ID: registration, service principal, a certificate as its credential, and the
# permissions. By default only what Exchange cannot limit is consented to for the whole tenant; mail and calendars are
# granted by limit-mailboxes.ps1 (RBAC for Applications) for a group of mailboxes.
#
#   az login --tenant TENANT --allow-no-subscriptions
#   deploy/entra/setup.sh --name response-sync --out ./secrets              # then limit-mailboxes.ps1
#   deploy/entra/setup.sh --name response-sync --out ./secrets --whole-tenant   # every mailbox; for a test tenant
#
# Needs the Azure CLI, openssl, and somebody who may register applications and give admin consent (Privileged Role
# Administrator, or Global Administrator). Running it again changes nothing that is there, and adds what is missing; it
# never takes a permission away.
set -eu

GRAPH=00000003-0000-0000-c000-000000000000 # Microsoft Graph, in every tenant
NAME=response-sync
OUT=
DAYS=365
WHOLE_TENANT=false

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

usage() {
    sed -n '2,/^set -eu/{s/^# \{0,1\}//;/^set -eu/d;p;}' "$0"
    exit "${1:-0}"
}

while [ $# -gt 0 ]; do
    case $1 in
    --name) NAME=${2:?}; shift 2 ;;
    --out) OUT=${2:?}; shift 2 ;;
    --days) DAYS=${2:?}; shift 2 ;;
    --whole-tenant) WHOLE_TENANT=true; shift ;;
    --help | -h) usage ;;
    *) usage 2 >&2 ;;
    esac
done
[ -n "$OUT" ] || fail "--out DIRECTORY says where the certificate and the settings go"
command -v az >/dev/null || fail "the Azure CLI (az) is missing"
command -v openssl >/dev/null || fail "openssl is missing"
umask 077
mkdir -p "$OUT"

TENANT=$(az account show --query tenantId --output tsv) || fail "sign in first: az login --allow-no-subscriptions"

# --- the registration and its service principal ---

CLIENT=$(az ad app list --display-name "$NAME" --query "[?displayName=='$NAME'].appId" --output tsv)
case $(printf '%s\n' "$CLIENT" | grep -c .) in
0) CLIENT=$(az ad app create --display-name "$NAME" --sign-in-audience AzureADMyOrg --query appId --output tsv) ;;
1) echo "application $NAME is there already" ;;
*) fail "several applications are called $NAME; choose another --name" ;;
esac
az ad sp show --id "$CLIENT" --output none 2>/dev/null || az ad sp create --id "$CLIENT" --output none
PRINCIPAL=$(az ad sp show --id "$CLIENT" --query id --output tsv)

# --- the certificate ---

PEM=$OUT/application.pem # key and certificate: RESPONSE_SYNC_CLIENT_CERTIFICATE_FILE
if [ -f "$PEM" ]; then
    echo "$PEM is there already"
else
    openssl req -x509 -newkey rsa:3072 -sha256 -nodes -days "$DAYS" -subj "/CN=$NAME" \
        -keyout "$OUT/application.key" -out "$OUT/application.crt" 2>/dev/null
    cat "$OUT/application.key" "$OUT/application.crt" >"$PEM"
    rm "$OUT/application.key"
    # --append: a former certificate stays valid until it is removed.
    az ad app credential reset --id "$CLIENT" --cert "@$OUT/application.crt" --append --output none
fi

# --- the permissions ---

# The ids are looked up by name: they are the same in every tenant, but a typing error here would grant something else.
find_role() {
    ROLE=$(az ad sp show --id "$GRAPH" \
        --query "appRoles[?value=='$1' && contains(allowedMemberTypes, 'Application')].id" --output tsv)
    [ -n "$ROLE" ] || fail "Microsoft Graph has no application permission $1"
}

grant() {
    find_role "$1"
    az ad app permission add --id "$CLIENT" --api "$GRAPH" --api-permissions "$ROLE=Role" --output none 2>/dev/null
    echo "permission $1"
}

grant User.Read.All # Exchange has no role for it, so it cannot be limited; without it answers by aliases are told later
if [ "$WHOLE_TENANT" = true ]; then
    for permission in Mail.Read Calendars.Read MailboxSettings.Read; do
        grant "$permission"
    done
fi

# A new service principal takes a while to be known everywhere.
tries=0
until az ad app permission admin-consent --id "$CLIENT" 2>"$OUT/consent.log"; do
    tries=$((tries + 1))
    [ "$tries" -lt 10 ] || fail "admin consent was refused: $(cat "$OUT/consent.log")"
    sleep 6
done
rm -f "$OUT/consent.log"

# --- what the service needs to know ---

SETTINGS=$OUT/service.env
if [ ! -f "$SETTINGS" ]; then
    {
        echo "RESPONSE_SYNC_TENANT_ID=$TENANT"
        echo "RESPONSE_SYNC_CLIENT_ID=$CLIENT"
        echo "RESPONSE_SYNC_CLIENT_CERTIFICATE_FILE=$PEM"
        echo "RESPONSE_SYNC_SECRET_KEY=$(openssl rand -hex 32)"
    } >"$SETTINGS"
fi
echo "settings and secrets: $OUT (mode 0600)"
if [ "$WHOLE_TENANT" = true ]; then
    echo "The application reads every mailbox of the tenant. Limit it before it meets real people: README of deploy/."
else
    echo "Now let an Exchange administrator run, in PowerShell:"
    echo "  ./limit-mailboxes.ps1 -AppId $CLIENT -ObjectId $PRINCIPAL -Group GROUP@YOUR.DOMAIN -TestMailbox SOMEBODY@YOUR.DOMAIN"
fi
