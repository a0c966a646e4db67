// What only those who are signed in see.

import { offer, signOut } from "./site.js";

const tabs = new BroadcastChannel("faceauth-login");
tabs.onmessage = ({ data }) => data === "signed out" && location.replace("/");

offer().then(({ signed_in }) => {
  if (signed_in === null) location.replace("/");
  else document.getElementById("who").textContent = `, ${signed_in}`;
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await signOut();
  tabs.postMessage("signed out");
  location.replace("/");
});
