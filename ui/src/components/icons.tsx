// The few pictures of the page, as lines in the colour of the text around them.
import type { ReactNode } from "react";

function Icon({ size = 16, children }: { size?: number; children: ReactNode }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const BellIcon = () => (
  <Icon size={18}>
    <path d="M8 1.8v1M3.8 11.2V7.4a4.2 4.2 0 0 1 8.4 0v3.8l1.3 1.3h-11zM6.6 14.3h2.8" />
  </Icon>
);

export const BellOffIcon = () => (
  <Icon>
    <path d="M6 3.6a4.2 4.2 0 0 1 6.2 3.8v2.6M3.8 7.4v3.8l-1.3 1.3h9.7M6.6 14.3h2.8M2 2l12 12" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.85.850M11.75 11.75l.85.850M12.6 3.4l-.85.850M4.25 11.75l-.85.850" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z" />
  </Icon>
);

export const SystemIcon = () => (
  <Icon>
    <rect x="1.75" y="2.75" width="12.5" height="8.5" rx="1" />
    <path d="M5.5 14h5M8 11.5V14" />
  </Icon>
);

export const OutIcon = () => (
  <Icon size={12}>
    <path d="M6 3H3v10h10v-3M9.5 2.5h4v4M13.2 2.8 7.5 8.5" />
  </Icon>
);
