"""Dead letters for whoever repairs: what each reason means, which are meant, and another try for them."""
