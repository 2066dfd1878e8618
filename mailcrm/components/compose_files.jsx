// The files that go along: chips with progress, dropped anywhere on the composer or chosen, removed with Undo. Talks to
// endpoints/drafts.py itself, so that an upload outlives a lost event socket. `window.mailcrmFiles` is for Python's calls.
import { useEffect, useRef, useState } from "react";
import { FileText, Image as ImageIcon, LoaderCircle, RotateCcw, TriangleAlert, X } from "lucide-react";
import { toast } from "sonner";
import { counted, isPicture, readable, upload } from "./editor_upload.js";

const UNDO_MS = 8000;
const MB = 1024 ** 2;
const icon = { size: 14, strokeWidth: 1.75, "aria-hidden": true };
const fill = (text, values) => Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, value), text);

const shown = [];
const ask = (name) => (...said) => shown[shown.length - 1]?.[name](...said);
if (typeof window !== "undefined") {
  window.mailcrmFiles = { choose: ask("choose"), refresh: ask("refresh"), count: () => ask("count")() ?? 0 };
}

export function ComposeFiles({ uploadUrl, labels, mailbox }) {
  const root = useRef(null);
  const input = useRef(null);
  const [there, setThere] = useState({ files: [], most: 0, used: 0 });
  const [going, setGoing] = useState([]); // { id, file, sent, error, abort }
  const [over, setOver] = useState(false);
  const [failed, setFailed] = useState(false);
  const now = useRef({});
  now.current = { there, going, labels, uploadUrl };

  const refresh = async () => {
    try {
      const answer = await fetch(now.current.uploadUrl);
      if (!answer.ok) throw new Error();
      setThere(await answer.json());
      setFailed(false);
    } catch { setFailed(true); }
  };
  const change = (id, with_) => setGoing((all) => all.map((each) => (each.id === id ? { ...each, ...with_ } : each)));
  const drop = (id) => setGoing((all) => all.filter((each) => each.id !== id));

  const begin = (id, file) => {
    const abort = new AbortController();
    change(id, { error: "", sent: 0, abort });
    upload(now.current.uploadUrl, file, {
      form: root.current?.closest("form") ?? null,
      labels: now.current.labels,
      signal: abort.signal,
      onProgress: (sent) => change(id, { sent }),
    }).then((made) => {
      setThere((old) => ({ ...old, files: [...old.files, made], used: old.used + made.size }));
      drop(id);
    }, (error) => (error.message ? change(id, { error: error.message, sent: 0 }) : drop(id)));
  };
  const add = (files) => {
    const { there: known, going: way } = now.current;
    let used = known.used + way.filter((each) => !each.error).reduce((sum, each) => sum + each.file.size, 0);
    const made = files.map((file) => {
      const tooLarge = known.most && used + file.size > known.most;
      if (!tooLarge) used += file.size;
      const error = tooLarge ? fill(now.current.labels.too_large, { size: readable(file.size), most: Math.floor(known.most / MB) }) : "";
      return { id: `${Date.now()}${Math.random()}`, file, sent: 0, error, final: tooLarge };
    });
    setGoing((all) => [...all, ...made]);
    for (const each of made) if (!each.error) begin(each.id, each.file);
  };
  const remove = async (file) => {
    setThere((old) => ({ ...old, files: old.files.filter((each) => each.n !== file.n), used: old.used - file.size }));
    const { labels: words, uploadUrl: url } = now.current;
    try {
      const answer = await fetch(`${url}/${file.n}`, { method: "DELETE" });
      if (!answer.ok) throw new Error();
      const { note } = await answer.json();
      toast(fill(words.removed, { name: file.filename }), {
        duration: UNDO_MS,
        action: {
          label: words.undo,
          onClick: async () => {
            const body = new FormData();
            body.append("note", note);
            const back = await fetch(`${url}/restore`, { method: "POST", body }).catch(() => null);
            if (!back?.ok) toast((await back?.json().catch(() => null))?.error || words.upload_failed);
            refresh();
          },
        },
      });
    } catch { toast(words.not_removed); refresh(); }
  };

  useEffect(() => {
    refresh();
    const form = root.current.closest("form");
    const count = () => now.current.there.files.length + now.current.going.filter((each) => !each.error).length;
    const stop = counted(form, count);
    const api = { choose: () => input.current?.click(), refresh, count };
    shown.push(api);
    return () => { stop(); shown.splice(shown.indexOf(api), 1); };
  }, [uploadUrl]);
  useEffect(() => { if (mailbox) refresh(); }, [mailbox]); // another mailbox, another limit

  // Dropped anywhere on the composer. Pictures on the text are the editor's, unless they come with other files.
  useEffect(() => {
    const form = root.current.closest("form");
    if (!form) return undefined;
    let depth = 0;
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const enter = (event) => { if (carries(event)) { depth += 1; setOver(true); } };
    const leave = (event) => { if (carries(event) && (depth -= 1) <= 0) { depth = 0; setOver(false); } };
    const dragOver = (event) => { if (carries(event)) { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; } };
    const dropped = (event) => {
      if (!carries(event)) return;
      depth = 0;
      setOver(false);
      const files = [...event.dataTransfer.files];
      const folders = [...event.dataTransfer.items].filter((each) => each.webkitGetAsEntry?.()?.isDirectory).length;
      if (event.target.closest?.(".mc-editor") && files.length && files.every(isPicture) && form.querySelector("[data-tool=picture]")) return;
      event.preventDefault();
      event.stopPropagation();
      if (folders) toast(now.current.labels.folder);
      else add(files);
    };
    const all = { dragenter: enter, dragleave: leave, dragover: dragOver, drop: dropped };
    for (const [name, act] of Object.entries(all)) form.addEventListener(name, act, true);
    return () => { for (const [name, act] of Object.entries(all)) form.removeEventListener(name, act, true); };
  }, []);

  const room = there.most ? fill(labels.room, { used: readable(there.used), most: Math.floor(there.most / MB) }) : "";
  return (
    <div ref={root} className="mc-files" data-testid="compose-files">
      <input ref={input} type="file" multiple hidden tabIndex={-1} data-testid="attach-input" onChange={(event) => { add([...event.target.files]); event.target.value = ""; }} />
      {failed && <p className="t1 bad" role="alert">{labels.list_failed} <button type="button" className="btn btn-sm" onClick={refresh}>{labels.again}</button></p>}
      {(there.files.length > 0 || going.length > 0) && (
          <ul aria-label={labels.files}>
            {there.files.map((file) => (
              <li key={`n${file.n}`} className="mc-file" data-lost={file.lost || undefined} data-testid="attached">
                <span className="mc-file-ico">{file.lost ? <TriangleAlert {...icon} /> : /^image\//.test(file.content_type) ? <ImageIcon {...icon} /> : <FileText {...icon} />}</span>
                {file.lost ? <bdi className="cut" title={labels.lost}>{file.filename}: {labels.lost}</bdi> : <a className="cut" href={`${uploadUrl}/${file.n}`} download dir="auto">{file.filename}</a>}
                <span className="t1 dim num">{readable(file.size)}</span>
                <button type="button" className="mc-file-x" aria-label={fill(labels.remove, { name: file.filename })} title={fill(labels.remove, { name: file.filename })} data-testid="detach" onClick={() => remove(file)}><X {...icon} /></button>
              </li>
            ))}
            {going.map((each) => (
              <li key={each.id} className="mc-file" data-failed={!!each.error || undefined} data-testid="uploading">
                <span className="mc-file-ico">{each.error ? <TriangleAlert {...icon} /> : <LoaderCircle {...icon} className="spin" />}</span>
                <bdi className="cut">{each.file.name}</bdi>
                {each.error ? <span className="t1 bad" role="alert">{each.error}</span> : <span className="t1 dim num">{fill(labels.progress, { sent: readable(each.sent), size: readable(each.file.size) })}</span>}
                {!each.error && <progress max={each.file.size || 1} value={each.sent} aria-label={each.file.name} />}
                {each.error && !each.final && <button type="button" className="mc-file-x" aria-label={labels.again} title={labels.again} onClick={() => begin(each.id, each.file)}><RotateCcw {...icon} /></button>}
                <button type="button" className="mc-file-x" aria-label={fill(labels.remove, { name: each.file.name })} onClick={() => { each.abort?.abort(); drop(each.id); }}><X {...icon} /></button>
              </li>
            ))}
            <li className="mc-room"><span className="t1 dim num" role="status">{room}</span></li>
          </ul>
      )}
      {over && <div className="mc-drop" aria-hidden="true"><span>{fill(labels.drop_here, { most: Math.floor(there.most / MB) || 25 })}</span></div>}
    </div>
  );
}
