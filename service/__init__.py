"""Who is coming: meeting responses and attendee statuses, reconciled onto a Redis stream."""
