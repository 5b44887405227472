<#
.SYNOPSIS
Lets the application read mail, calendars and mailbox settings of the members of one group, and of nobody else.

.DESCRIPTION
RBAC for Applications in Exchange Online: a pointer to the service principal, a management scope, and one role assignment
per permission. The same permissions must not be consented to in Entra ID as well: grants add up, and the wider one wins.
Needs the module ExchangeOnlineManagement and a member of Organization Management. Running it again changes nothing.
Members of nested groups are not in scope: put owners AND their delegates into the group itself.
A change takes from 30 minutes to two hours to reach Graph.

Source: https://learn.microsoft.com/exchange/permissions-exo/application-rbac

.EXAMPLE
./limit-mailboxes.ps1 -AppId 11111111-.. -ObjectId 22222222-.. -Group who-is-coming@contoso.com -TestMailbox alex@contoso.com

.PARAMETER ObjectId
The object id of the service principal (Enterprise applications), not of the registration.
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [guid] $AppId,
    [Parameter(Mandatory)] [guid] $ObjectId,
    [Parameter(Mandatory)] [string] $Group,
    [Parameter(Mandatory)] [string] $TestMailbox,
    [string] $Name = "response-sync"
)
$ErrorActionPreference = "Stop"
Connect-ExchangeOnline -ShowBanner:$false

# A mail-enabled security group or a distribution list of Exchange; its distinguished name is what a filter can hold.
$dn = (Get-DistributionGroup -Identity $Group).DistinguishedName
$filter = "MemberOfGroup -eq '$($dn -replace "'", "''")'"

if (-not (Get-ServicePrincipal -Identity "$ObjectId" -ErrorAction SilentlyContinue)) {
    New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName $Name | Out-Null
}
if (-not (Get-ManagementScope -Identity $Name -ErrorAction SilentlyContinue)) {
    New-ManagementScope -Name $Name -RecipientRestrictionFilter $filter | Out-Null
}
elseif ((Get-ManagementScope -Identity $Name).RecipientFilter -ne $filter) {
    Write-Warning "The scope '$Name' is there with another filter; it was left as it is."
}
foreach ($role in "Application Mail.Read", "Application Calendars.Read", "Application MailboxSettings.Read") {
    $assignment = "$Name $role"
    if (-not (Get-ManagementRoleAssignment -Identity $assignment -ErrorAction SilentlyContinue)) {
        New-ManagementRoleAssignment -Name $assignment -App $ObjectId -Role $role -CustomResourceScope $Name | Out-Null
    }
}

# InScope must be True for a member, and False for anybody else.
Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource $TestMailbox | Format-Table RoleName, GrantedPermissions, InScope
