/**
 * Starts the page.
 */
import { render } from "preact"
import type { Config } from "../src/control/internal/DashboardPage.ts"
import { App } from "./App.tsx"

const text = (id: string): string => document.getElementById(id)?.textContent ?? ""

// The cast is safe: the server writes the configuration into the page.
const config = JSON.parse(text("config")) as Config

render(<App config={config} />, document.getElementById("page") ?? document.body)
