"""Who somebody is and what is true of them, over all that was ever said of them. Pure.

memory    what is remembered, as a batch sees it
identity  whom a body means, and whose an address is
profile   the record of a person: when what is known of each attribute was true
picture   what a batch says of one person: one identify, the events of rules
sales     what became an order, and what was told of it
"""
