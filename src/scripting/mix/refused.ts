/** How a pure function of the library says no: the text becomes the script's `err`, the other results are nil. */

export class Refused {
  constructor(readonly error: string) {}
}
