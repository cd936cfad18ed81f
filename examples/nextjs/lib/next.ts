/** The way back after a login: a path of this site, and nothing that a browser takes for another site. */
export function checkedNext(next: unknown): string {
    const isPath = typeof next === "string" && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next);
    return isPath ? next : "/me";
}
