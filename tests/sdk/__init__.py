"""The sandbox as Microsoft's JavaScript SDK meets it. Run by `make sdk-check`, never by `make test`."""
