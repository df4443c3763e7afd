"""What a loss means, in the sentence that declares it."""

from __future__ import annotations

from model.protocols import Kind


def meaning(kind: Kind, field: str, reason: str) -> str:
    """The sentence that declares a loss of this workload; "" for one that an older version recorded."""
    from mappings.losses import any_item
    from mappings.losses import contact as losses_contact
    from mappings.losses import event as losses_event
    from mappings.losses import file as losses_file
    from mappings.losses import mail as losses_mail
    from mappings.losses import note as losses_note
    from mappings.losses import task as losses_task

    tables = {
        Kind.MAIL: losses_mail.LOSSES,
        Kind.CALENDAR: losses_event.LOSSES,
        Kind.CONTACTS: losses_contact.LOSSES,
        Kind.TASKS: losses_task.LOSSES,
        Kind.NOTES: losses_note.LOSSES,
        Kind.FILES: losses_file.LOSSES,
    }
    others = (tables.get(kind, {}), losses_mail.LOSSES, any_item.LOSSES)
    return next((one[field, reason] for one in others if (field, reason) in one), "")
