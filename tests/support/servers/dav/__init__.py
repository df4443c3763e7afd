"""What CalDAV products and a Nextcloud do to a client, as layers for practice.dav.proxy."""
