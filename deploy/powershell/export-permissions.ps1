<#
.SYNOPSIS
Writes permissions.csv for Kogge: who has rights to whose mailboxes and folders.

.DESCRIPTION
On a server, run it in the Exchange Management Shell. For Exchange Online, call Connect-ExchangeOnline first and
give -Online. It only reads. It needs the role View-Only Recipients; for -Folders on a server, also Mail Recipients.

One row is one right: mailbox, folder (empty for the whole mailbox), user, rights, deny. Rights that are inherited,
and those of the mailbox itself, are not written. A user whose address cannot be found is written with an address
that nobody has, so that Kogge names the right as left behind.

The file is complete or it is not there: it gets its name after the last mailbox.

.PARAMETER Path
The file that is written, such as permissions.csv. An older file of this name is replaced.

.PARAMETER Mailbox
The mailboxes, by address; all user and shared mailboxes without it.

.PARAMETER Folders
Also writes the rights to each folder. Exchange Web Services tell these to Kogge by themselves; Microsoft Graph tells
only those to calendars. It takes some seconds a mailbox.

.PARAMETER Online
Reads from Exchange Online.

.EXAMPLE
.\export-permissions.ps1 -Path permissions.csv

.EXAMPLE
.\export-permissions.ps1 -Path permissions.csv -Online -Folders
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)]
    [string] $Path,
    [string[]] $Mailbox,
    [switch] $Folders,
    [switch] $Online
)

$ErrorActionPreference = 'Stop'
$addresses = @{}

function Find-Address([string] $name) {
    # Returns the address of a user or group, by whatever Exchange calls it.
    if ($addresses.ContainsKey($name)) { return $addresses[$name] }
    $found = @(Get-Recipient -Identity $name -ErrorAction SilentlyContinue)
    if ($found.Count -eq 1 -and $found[0].PrimarySmtpAddress) {
        $address = [string] $found[0].PrimarySmtpAddress
    } elseif ($name -match 'S-1(-[0-9]+)+$') {
        $address = $Matches[0]
    } else {
        $address = ($name -replace '[^A-Za-z0-9.-]+', '-').Trim('-.') + '@unresolved.invalid'
    }
    $addresses[$name] = $address
    return $address
}

function Find-FolderUser($user) {
    # Returns who has a right to a folder: Default, Anonymous, or an address.
    $type = [string] $user.UserType
    if ($type -eq 'Default' -or $type -eq 'Anonymous') { return $type }
    foreach ($property in 'ADRecipient', 'RecipientPrincipal') {
        $recipient = $user.PSObject.Properties[$property]
        if ($recipient -and $recipient.Value -and $recipient.Value.PrimarySmtpAddress) {
            return [string] $recipient.Value.PrimarySmtpAddress
        }
    }
    $name = [string] $user.DisplayName
    if (-not $name) { $name = [string] $user }
    return Find-Address ($name -replace '^ExchangePublishedUser\.', '')
}

function New-Row([string] $mailbox, [string] $folder, [string] $user, [string] $rights, [bool] $deny) {
    return [pscustomobject] [ordered] @{
        mailbox = $mailbox
        folder  = $folder
        user    = $user
        rights  = $rights
        deny    = [string] $deny
    }
}

function Get-WholeRight($box) {
    # Writes the rights to a whole mailbox.
    $address = [string] $box.PrimarySmtpAddress
    $id = [string] $box.DistinguishedName
    foreach ($entry in Get-MailboxPermission -Identity $id) {
        $user = [string] $entry.User
        $full = (@($entry.AccessRights | ForEach-Object { [string] $_ }) -join ' ') -match '\bFullAccess\b'
        if ($full -and -not $entry.IsInherited -and $user -ne 'NT AUTHORITY\SELF') {
            New-Row $address '' (Find-Address $user) 'FullAccess' ([bool] $entry.Deny)
        }
    }
    if ($Online) {
        foreach ($entry in Get-RecipientPermission -Identity $id -AccessRights SendAs) {
            $user = [string] $entry.Trustee
            if (-not $entry.IsInherited -and $user -ne 'NT AUTHORITY\SELF') {
                New-Row $address '' (Find-Address $user) 'SendAs' ([string] $entry.AccessControlType -eq 'Deny')
            }
        }
    } else {
        foreach ($entry in Get-ADPermission -Identity $id) {
            $user = [string] $entry.User
            $sends = (@($entry.ExtendedRights | ForEach-Object { [string] $_ }) -join ' ') -match '\bSend-As\b'
            if ($sends -and -not $entry.IsInherited -and $user -ne 'NT AUTHORITY\SELF') {
                New-Row $address '' (Find-Address $user) 'SendAs' ([bool] $entry.Deny)
            }
        }
    }
    foreach ($name in $box.GrantSendOnBehalfTo) {
        New-Row $address '' (Find-Address ([string] $name)) 'SendOnBehalf' $false
    }
}

function Get-FolderRight($box) {
    # Writes the rights to each folder. A folder is named by its id, since its name may hold a slash.
    $address = [string] $box.PrimarySmtpAddress
    foreach ($folder in Get-MailboxFolderStatistics -Identity ([string] $box.DistinguishedName)) {
        if ([string] $folder.FolderType -match '^(Recoverable|Audits|Calendar Logging)') { continue }
        $id = '{0}:{1}' -f $address, $folder.FolderId
        $entries = @(Get-MailboxFolderPermission -Identity $id -ErrorAction SilentlyContinue -ErrorVariable refused)
        if ($refused) {
            Write-Warning ('{0}: the rights to a folder of the type {1} are not told' -f $address, $folder.FolderType)
            continue
        }
        foreach ($entry in $entries) {
            $rights = @($entry.AccessRights | ForEach-Object { [string] $_ })
            if ($rights.Count -and $rights -notcontains 'None') {
                New-Row $address ([string] $folder.FolderPath) (Find-FolderUser $entry.User) ($rights -join ' ') $false
            }
        }
    }
}

if ($Mailbox) {
    $boxes = @($Mailbox | ForEach-Object { Get-Mailbox -Identity $_ })
} else {
    $types = 'UserMailbox', 'SharedMailbox', 'RoomMailbox', 'EquipmentMailbox'
    $boxes = @(Get-Mailbox -ResultSize Unlimited -RecipientTypeDetails $types)
}
$full = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
$partial = "$full.partial"
$done = 0
$boxes | ForEach-Object {
    $done += 1
    Write-Progress -Activity 'Reading rights' -Status "$done of $($boxes.Count)" -PercentComplete (100 * $done / $boxes.Count)
    Get-WholeRight $_
    if ($Folders) { Get-FolderRight $_ }
} | Export-Csv -Path $partial -NoTypeInformation -Encoding UTF8
Move-Item -Path $partial -Destination $full -Force
Write-Host "$($boxes.Count) mailboxes were read: $full"
