"""An outsider at the public port for minutes, while people answer meetings: a command of its own."""
