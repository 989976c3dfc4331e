// Mantine, set to the page's own colours (`theme.css`), and the styles of what is used of it.
import "@mantine/core/styles/baseline.css";
import "@mantine/core/styles/default-css-variables.css";
import "@mantine/core/styles/global.css";
import "@mantine/core/styles/UnstyledButton.css";
import "@mantine/core/styles/ActionIcon.css";
import "@mantine/core/styles/Button.css";
import "@mantine/core/styles/Loader.css";
import "@mantine/core/styles/Input.css";
import "@mantine/core/styles/FloatingIndicator.css";
import "@mantine/core/styles/SegmentedControl.css";
import "./theme.css";

import {
  createTheme,
  type CSSVariablesResolver,
  type MantineColorsTuple,
  type MantineThemeOverride,
} from "@mantine/core";

const ink: MantineColorsTuple = [
  "#eef3ff",
  "#dbe6ff",
  "#b7ccff",
  "#8fb3ff",
  "#6a96f5",
  "#3f74e0",
  "#1f54c0",
  "#1a489f",
  "#163c83",
  "#102c61",
];

// What Mantine draws dark things with: text first, grounds last, as in `theme.css`.
const dark: MantineColorsTuple = [
  "#ececef",
  "#c4c6cd",
  "#a3a5ae",
  "#74767f",
  "#3a3b42",
  "#2c2d32",
  "#18191c",
  "#18191c",
  "#1c1d21",
  "#111214",
];

export const theme: MantineThemeOverride = createTheme({
  primaryColor: "ink",
  primaryShade: 6,
  colors: { ink, dark },
  fontFamily: "var(--sans)",
  fontFamilyMonospace: "var(--mono)",
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
});

export const resolveVariables: CSSVariablesResolver = () => {
  const shared = {
    "--mantine-color-body": "var(--surface)",
    "--mantine-color-text": "var(--text)",
    "--mantine-color-dimmed": "var(--dim)",
    "--mantine-color-default": "var(--surface)",
    "--mantine-color-default-hover": "var(--raised)",
    "--mantine-color-default-color": "var(--text)",
    "--mantine-color-default-border": "var(--line)",
    "--mantine-color-placeholder": "var(--dim)",
    "--mantine-color-disabled": "var(--raised)",
    "--mantine-color-disabled-color": "var(--dim)",
    "--mantine-color-error": "var(--firing)",
  };
  return { variables: {}, light: shared, dark: shared };
};
