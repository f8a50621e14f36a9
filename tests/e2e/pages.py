"""The blocks of commands on a page of docs/."""

import re


def blocks(text, hosts):
    """(host, language, text) of each block, in the page's order.

    The last line before it that begins `On HOST` says where.
    """
    part = re.compile(
        rf"^On ({'|'.join(map(re.escape, hosts))})\b|^```(sh|yaml)\n(.*?)```", re.M | re.S
    )
    host, found = None, []
    for named, language, block in part.findall(text):
        host = named or host
        if language:
            found.append((host, language, block))
    return found
