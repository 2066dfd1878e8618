// Pictures on their way into the text: shown at once, uploaded over HTTP, then named by the cid the server gave.
import { fileOfData, isPicture, readable, upload } from "./editor_upload.js";

const WIDEST_PX = 560; // a picture starts no wider than the text of a docked composer
const ARRIVING_MS = 10_000; // the old address stays valid while the browser loads the new one

/** What puts pictures into one editor; `now()` gives { labels, uploadUrl }, `form()` the form it belongs to. */
export function picturesOf({ editor, host, now, form }) {
  const redraw = () => { for (const draw of host.pictures) draw(); };
  const newId = () => `u${Date.now()}${Math.random().toString(36).slice(2)}`;
  const find = (id) => {
    let found = null;
    editor.state.doc.descendants((node, pos) => { if (node.attrs.upload === id) found = { node, pos }; return found === null; });
    return found;
  };

  const carry = (id, file, shown) => {
    host.uploads.set(id, { part: 0, error: "", file });
    redraw();
    upload(now().uploadUrl, file, {
      form: form(),
      inline: true,
      labels: now().labels,
      onProgress: (sent, size) => { host.uploads.set(id, { part: size ? sent / size : 0, error: "", file }); redraw(); },
    }).then((made) => {
      host.uploads.delete(id);
      host.done.set(id, made.cid); // undo and redo bring nodes back that still name the upload
      const place = editor.isDestroyed ? null : find(id);
      if (place) {
        const width = place.node.attrs.width ?? (made.width ? Math.min(made.width, WIDEST_PX) : null);
        const tr = editor.state.tr.setNodeMarkup(place.pos, null, { ...place.node.attrs, src: "", cid: made.cid, upload: "", width });
        editor.view.dispatch(tr.setMeta("addToHistory", false));
      }
      if (shown) setTimeout(() => URL.revokeObjectURL(shown), ARRIVING_MS);
    }, (error) => {
      host.uploads.set(id, { part: 0, error: error.message, file });
      redraw();
    });
  };

  return {
    /** Insert files as pictures at `pos`, else at the cursor. */
    add(files, pos) {
      for (const file of files) {
        const id = newId();
        const shown = URL.createObjectURL(file);
        const attrs = { src: shown, upload: id };
        host.uploads.set(id, { part: 0, error: "", file });
        if (pos == null) editor.chain().focus().insertPicture(attrs).run();
        else editor.commands.insertContentAt(pos, { type: "picture", attrs });
        carry(id, file, shown);
      }
    },
    /** Upload `data:` pictures (a template's, a pasted page's), and settle nodes that undo brought back. */
    lift() {
      if (!now().uploadUrl || editor.isDestroyed) return;
      const found = [];
      editor.state.doc.descendants((node, pos) => { if (node.type.name === "picture" && !node.attrs.cid) found.push([pos, node]); });
      for (const [pos, node] of found) {
        const { upload: id, src } = node.attrs;
        const cid = id && host.done.get(id);
        const file = !id && src.startsWith("data:") ? fileOfData(src) : null;
        if (!cid && !file) continue;
        const made = newId();
        const attrs = cid ? { ...node.attrs, src: "", cid, upload: "" } : { ...node.attrs, upload: made };
        editor.view.dispatch(editor.state.tr.setNodeMarkup(pos, null, attrs).setMeta("addToHistory", false));
        if (file) carry(made, file, "");
      }
    },
    retry(id) {
      const way = host.uploads.get(id);
      if (way?.error) carry(id, way.file, "");
    },
    size: readable,
    isPicture,
  };
}
