/**
 * Starts the page.
 */
import { render } from "preact"
import type { Config } from "../src/control/internal/DashboardPage.ts"
import { App } from "./App.tsx"

const text = (id: string): string => document.getElementById(id)?.textContent ?? ""

// The server writes it into the page.
const config = JSON.parse(text("config")) as Config

render(<App config={config} />, document.getElementById("page") ?? document.body)
