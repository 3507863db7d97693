// The manager's page: choose a hall, then see it.

import { t } from "../app/language.js";
import { begin } from "../staff/frame.js";

begin(
  [
    [/^\/$/, () => import("../staff/choose-hall.js")],
    [/^\/([\w-]+)$/, () => import("./hall.js")],
  ],
  () => t("大厅管理", "Hall management"),
);
