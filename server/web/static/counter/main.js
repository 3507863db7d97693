// The counter console: choose a counter, then work at it.

import { t } from "../app/language.js";
import { begin } from "../staff/frame.js";

begin(
  [
    [/^\/$/, () => import("./choose.js")],
    [/^\/([\w-]+)$/, () => import("./choose.js")],
    [/^\/([\w-]+)\/([\w-]+)$/, () => import("./console.js")],
  ],
  () => t("窗口工作台", "Counter console"),
);
