/**
 * State of a circuit, as a word with a colour and a shape.
 */
import * as Model from "./model.ts"

const shapes: Readonly<Record<Model.Tag, string>> = {
  Open: "○",
  HalfOpen: "◐",
  HeldOpen: "□",
  HeldClosed: "■",
  Closed: "●"
}

export const Badge = ({ state }: { readonly state: Model.Tag }) => (
  <span class={`badge ${state}`}>
    <span aria-hidden="true">{shapes[state]}</span> {Model.stateName(state)}
  </span>
)
