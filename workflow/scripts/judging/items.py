from pathlib import Path

from kensho.data.corpus import read_table
from kensho.data.sources import fetched
from kensho.files import sha256, write_json
from kensho.judging import items
from kensho.run.job import job

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    made, left_out = [*items.sentences(read_table(files.test))], dict(params.left_out)
    origins = {"sentences": {"sha256": sha256(files.test)}}
    for record in files.get("records", []):
        path, source = fetched(record)
        name = params.sets[source["name"]]
        if path is None:
            left_out[name] = source["reason"]
            continue
        origins[name] = {key: source[key] for key in ("licence", "attribution", "sha256")}
        reader = items.dialogues if name == "dialogues" else items.questions
        made += reader(path, params.context) if name == "dialogues" else reader(name, path)
    for path in files.get("llm_jp_eval", []):
        made += items.llm_jp_eval(Path(path))
        origins[Path(path).stem] = {"sha256": sha256(path)}
    sets = {item.set: item.direction for item in made}
    most = {
        name: params.most if direction else params.questions for name, direction in sets.items()
    }
    drawn = items.drawn(made, most, params.seed)
    items.write(snakemake.output.asked, drawn)
    asked = [
        {
            "name": name,
            "items": sum(item.set == name for item in drawn),
            "of": sum(item.set == name for item in made),
        }
        for name in sorted(sets)
    ]
    write_json(snakemake.output.origins, {"asked": asked, "origins": origins, "left_out": left_out})
