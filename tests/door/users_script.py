"""What a user may write against the public door: read by `make types`, strictly, and never run."""

import nas

study = nas.search(space="nasnet", dataset="digits", strategy="policy-gradient", trials=20, seed=0)
score: float = study.best.score
study.export("winner", to=["python", "onnx"])

verdict = nas.compare(["policy-gradient", "optuna:tpe"], seeds=10, evaluator="landscape", trials=9)
sentence: str = verdict.sentence
full = nas.retrain(study.folder, seeds=3, dataset="image-folder:photos", device="cpu")
larger = nas.transfer("nasnet-a", controls=["resnet"], set={"recipe.epochs": 2}, workers=2)
shares: list[float] = [test.top_1 for test in full.tests]
rows: int = len(larger.rows)
network = nas.build("nasnet-a", skeleton="imagenet-mobile")
network.train()
nas.build(study.best).eval()
nas.export(study, to="python,onnx", set={"skeleton.filters": 4})
first: str = nas.predict(study, "photo.png")[0].classes[0].name
nas.retrain(verdict, seeds="3")


def my_score(choices: object) -> float:
    return float(len(str(choices)))


with nas.open_study("mine", space="nasnet", strategy="evolution", trials=50) as mine:
    for trial in mine.todo():
        nas.build(trial)
        mine.tell(trial, my_score(trial.choices))

nas.search(trials="many")  # type: ignore[arg-type]  # a mistake that is found, else this is one
