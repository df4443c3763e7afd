"""Read OneDrive and SharePoint over Graph: files, versions, permissions."""
