"""A faithful local stand-in for the parts of Microsoft Graph and Entra ID that the service uses."""
