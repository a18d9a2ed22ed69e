"""Miniatures of public data sets: the names, folders and kinds of files of the originals.

Each function writes one into a folder, as unpacking the download leaves it there.
"""

import io
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

Write = Callable[[Path], None]
FORMATS: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".bmp": "BMP", ".tif": "TIFF"}
SIDE: Final = 12


def pictures(root: Path, names: Iterable[str]) -> None:
    """Images of one colour each, different ones."""
    for number, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        color = (number * 37 % 256, number * 91 % 256, number // 7 % 256)
        kind = FORMATS[file.suffix.lower()]
        Image.new("RGB", (SIDE, SIDE), color).save(stream, kind)
        file.write_bytes(stream.getvalue())


def texts(root: Path, files: dict[str, str]) -> None:
    """Files of text."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def odd_names(number: int, *, seed: str) -> list[str]:
    """Names of photographs that no counter gave."""
    source = random.Random(seed)
    return [
        f"{source.randrange(10**8, 10**9)}_{source.randrange(16**10):010x}" for _ in range(number)
    ]


def flower_photos(root: Path) -> None:
    for name in ("daisy", "dandelion", "roses", "sunflowers", "tulips"):
        pictures(root, [f"flower_photos/{name}/{each}.jpg" for each in odd_names(6, seed=name)])
    texts(root, {"flower_photos/LICENSE.txt": "CC-BY"})


LAND: Final = ("AnnualCrop", "Forest", "HerbaceousVegetation", "River", "SeaLake")


def eurosat_rgb(root: Path) -> None:
    pictures(root, [f"2750/{name}/{name}_{n}.jpg" for name in LAND for n in range(1, 7)])


def eurosat_bands(root: Path) -> None:
    """13 bands of 16 bits, band after band, as the original's."""
    import tifffile

    for name in LAND:
        for number in range(1, 7):
            file = root / f"allBands/{name}/{name}_{number}.tif"
            file.parent.mkdir(parents=True, exist_ok=True)
            bands = np.full((SIDE, SIDE, 13), 300 + 150 * number, np.uint16)
            tifffile.imwrite(file, bands, planarconfig="contig", photometric="minisblack")


def chest_x_ray(root: Path) -> None:
    """With the copies that Kaggle's archive holds."""
    for place in ("chest_xray", "chest_xray/chest_xray"):
        for split, number in (("train", 6), ("val", 2), ("test", 4)):
            for kind, begin in (("NORMAL", "IM-0115"), ("PNEUMONIA", "person1_bacteria")):
                names = [f"{split}/{kind}/{begin}_{n}.jpeg" for n in range(number)]
                pictures(root / place, names)
    texts(root, {"chest_xray/__MACOSX/._chest_xray": "", "chest_xray/chest_xray/.DS_Store": ""})


PIXELS: Final = range(48 * 48)
MOODS: Final = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def fer2013_folders(root: Path) -> None:
    for split, number, begin in (("train", 6, "Training"), ("test", 3, "PublicTest")):
        names = [f"fer2013/{split}/{mood}/{begin}_{n}.jpg" for mood in MOODS for n in range(number)]
        pictures(root, names)


def fer2013_csv(root: Path) -> None:
    usages = ["Training"] * 6 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    rows = [
        f"{mood},{' '.join(str((mood * 30 + index + pixel) % 256) for pixel in PIXELS)},{usage}"
        for index, usage in enumerate(usages)
        for mood in range(7)
    ]
    texts(root, {"fer2013.csv": "\n".join(["emotion,pixels,Usage", *rows])})


def pet_images(root: Path) -> None:
    """With the empty and the odd files of the original."""
    pictures(root, [f"PetImages/{name}/{n}.jpg" for name in ("Cat", "Dog") for n in range(9)])
    texts(root, {f"PetImages/{name}/Thumbs.db": "x" for name in ("Cat", "Dog")})
    texts(root, {"PetImages/Cat/666.jpg": "", "PetImages/Dog/11702.jpg": ""})


def dogs_vs_cats(root: Path) -> None:
    pictures(
        root, [f"dogs-vs-cats/train/{name}.{n}.jpg" for name in ("cat", "dog") for n in range(8)]
    )
    pictures(root, [f"dogs-vs-cats/test1/{n}.jpg" for n in range(1, 5)])
    texts(root, {"dogs-vs-cats/sampleSubmission.csv": "id,label\n1,0\n2,0\n3,0\n4,0\n"})


BREEDS: Final = ("Abyssinian", "great_pyrenees", "yorkshire_terrier")


def oxford_pets(root: Path) -> None:
    names = [f"{name}_{n}" for name in BREEDS for n in range(1, 8)]
    pictures(root / "oxford-iiit-pet", [f"images/{name}.jpg" for name in names])
    pictures(root / "oxford-iiit-pet", [f"annotations/trimaps/{name}.png" for name in names])
    files = {f"annotations/xmls/{name}.xml": "<annotation/>" for name in names}
    lines = [f"{name} {1 + index // 7} 1 1" for index, name in enumerate(names)]
    texts(root / "oxford-iiit-pet", files | {"annotations/list.txt": "\n".join(lines)})


def ham10000(root: Path) -> None:
    lines = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
    kinds = ("nv", "mel", "bkl")
    for number in range(24):
        part = 1 + number // 12
        name = f"ISIC_{24306 + 7 * number:07}"
        pictures(root, [f"ham10000/HAM10000_images_part_{part}/{name}.jpg"])
        lines.append(
            f"HAM_{number // 2:07},{name},{kinds[number // 2 % 3]},"
            f"{('histo', 'consensus')[number % 2]},{40 + number % 3 * 5}.0,"
            f"{('male', 'female')[number % 2]},{('back', 'face')[number // 3 % 2]}"
        )
    texts(root, {"ham10000/HAM10000_metadata.csv": "\n".join(lines)})


SCENES: Final = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def intel_scenes(root: Path) -> None:
    for split, number in (("seg_train", 6), ("seg_test", 3)):
        for scene in SCENES:
            names = [
                f"intel/{split}/{split}/{scene}/{n}.jpg"
                for n in random.Random(scene + split).sample(range(20000), number)
            ]
            pictures(root, names)
    pictures(root, [f"intel/seg_pred/seg_pred/{n}.jpg" for n in (10004, 10005, 10012)])


def fruits_360(root: Path) -> None:
    fruits = ("Apple Braeburn 1", "Banana 1", "Tomato 4")
    for split, number in (("Training", 6), ("Test", 3)):
        names = [f"{fruit}/r_{n}_100.jpg" for fruit in fruits for n in range(number)]
        pictures(root, [f"fruits-360/{split}/{name}" for name in names])
    pictures(root, ["fruits-360/test-multiple_fruits/apple_1.jpg"])
    texts(
        root,
        {"fruits-360/papers/fruits.pdf": "", "fruits-360/readme.md": "", "fruits-360/LICENSE": ""},
    )


def plant_village(root: Path) -> None:
    for variant, end in (("color", ""), ("grayscale", ""), ("segmented", "_final_masked")):
        for leaf in ("Apple___Apple_scab", "Apple___healthy", "Corn_(maize)___healthy"):
            names = [f"{each[-8:]}___FREC_Scab 30{end}" for each in odd_names(6, seed=leaf)]
            pictures(
                root / "plantvillage dataset", [f"{variant}/{leaf}/{name}.jpg" for name in names]
            )


def idc(root: Path) -> None:
    for patient in (10253, 10254, 8863, 8864, 9022, 9023):
        for label in (0, 1):
            names = [f"{patient}_idx5_x{x}51_y{x}01_class{label}.png" for x in (1, 4, 9)]
            pictures(root, [f"IDC_regular_ps50_idx5/{patient}/{label}/{name}" for name in names])


def c_nmc(root: Path) -> None:
    here = root / "C-NMC_Leukemia"
    for fold in range(3):
        for kind, who in (("all", ""), ("hem", "H")):
            names = [
                f"UID_{who}{3 * fold + n}_{cell}_1_{kind}.bmp" for n in (1, 2, 3) for cell in (1, 2)
            ]
            pictures(here, [f"training_data/fold_{fold}/{kind}/{name}" for name in names])
    pictures(here, [f"validation_data/C-NMC_test_prelim_phase_data/{n}.bmp" for n in range(1, 5)])
    lines = [f"UID_57_{n}_1_all.bmp,{n}.bmp,{n % 2}" for n in range(1, 5)]
    table = "\n".join(["Patient_ID,new_names,labels", *lines])
    texts(here, {"validation_data/C-NMC_test_prelim_phase_data_labels.csv": table})
    pictures(here, [f"testing_data/C-NMC_test_final_phase_data/{n}.bmp" for n in range(1, 4)])


def caltech_101(root: Path) -> None:
    for name in ("BACKGROUND_Google", "Faces_easy", "accordion", "anchor"):
        names = [f"101_ObjectCategories/{name}/image_{n:04}.jpg" for n in range(1, 7)]
        pictures(root, names)
    texts(root, {"101_ObjectCategories/BACKGROUND_Google/tmp": ""})


BIRDS: Final = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")


def cub_200(root: Path) -> None:
    here = root / "CUB_200_2011"
    names = [
        f"{bird}/{bird[4:]}_{n:04}_{796000 + 7 * n}.jpg" for bird in BIRDS for n in range(1, 9)
    ]
    pictures(here, [f"images/{name}" for name in names])
    numbered = list(enumerate(names, start=1))
    texts(
        here,
        {
            "images.txt": "\n".join(f"{number} {name}" for number, name in numbered),
            "train_test_split.txt": "\n".join(
                f"{number} {int(number % 4 > 0)}" for number, _ in numbered
            ),
            "image_class_labels.txt": "\n".join(
                f"{number} {int(name[:3])}" for number, name in numbered
            ),
            "classes.txt": "\n".join(
                f"{number} {bird}" for number, bird in enumerate(BIRDS, start=1)
            ),
            "bounding_boxes.txt": "\n".join(
                f"{number} 60.0 27.0 325.0 304.0" for number, _ in numbered
            ),
            "README": "Caltech-UCSD Birds-200-2011",
            "parts/parts.txt": "1 back\n2 beak\n",
        },
    )


def food_101(root: Path) -> None:
    here = root / "food-101"
    foods = ("apple_pie", "pho", "tacos")
    names = [
        f"{food}/{1005649 + 1117 * (8 * k + n)}" for k, food in enumerate(foods) for n in range(8)
    ]
    pictures(here, [f"images/{name}.jpg" for name in names])
    texts(
        here,
        {
            "meta/train.txt": "\n".join(name for n, name in enumerate(names) if n % 4),
            "meta/test.txt": "\n".join(names[::4]),
            "meta/classes.txt": "apple_pie\npho\ntacos\n",
            "meta/labels.txt": "Apple pie\nPho\nTacos\n",
            "meta/train.json": "{}",
            "README.txt": "",
        },
    )


def cassava(root: Path) -> None:
    here = root / "cassava-leaf-disease-classification"
    numbers = [1000015157 + 7919 * n for n in range(20)]
    pictures(here, [f"train_images/{number}.jpg" for number in numbers])
    pictures(here, ["test_images/2216849948.jpg"])
    lines = [f"{number}.jpg,{n % 5}" for n, number in enumerate(numbers)]
    texts(
        here,
        {
            "train.csv": "\n".join(["image_id,label", *lines]),
            "sample_submission.csv": "image_id,label\n2216849948.jpg,4\n",
            "label_num_to_disease_map.json": "{}",
            "train_tfrecords/ld_train00-1338.tfrec": "",
        },
    )


def dog_breeds(root: Path) -> None:
    here = root / "dog-breed-identification"
    names = [f"{number * 7919 + 257:032x}" for number in range(18)]
    pictures(here, [f"train/{name}.jpg" for name in names])
    pictures(here, [f"test/{number:032x}.jpg" for number in range(4)])
    breeds = ("boston_bull", "dingo", "pekinese")
    lines = [f"{name},{breeds[n % 3]}" for n, name in enumerate(names)]
    texts(
        here, {"labels.csv": "\n".join(["id,breed", *lines]), "sample_submission.csv": "id,dingo\n"}
    )


def tiny_imagenet(root: Path) -> None:
    here = root / "tiny-imagenet-200"
    nets = ("n01443537", "n01629819", "n02124075")
    pictures(here, [f"train/{net}/images/{net}_{n}.jpeg" for net in nets for n in range(6)])
    pictures(here, [f"val/images/val_{n}.jpeg" for n in range(6)])
    pictures(here, [f"test/images/test_{n}.jpeg" for n in range(3)])
    lines = [f"val_{n}.jpeg\t{nets[n % 3]}\t0\t32\t44\t62" for n in range(6)]
    boxes = {f"train/{net}/{net}_boxes.txt": f"{net}_0.jpeg\t0\t10\t63\t58" for net in nets}
    texts(here, boxes | {"val/val_annotations.txt": "\n".join(lines), "wnids.txt": "\n".join(nets)})


def brain_tumors(root: Path) -> None:
    kinds = (("glioma", "gl"), ("meningioma", "me"), ("notumor", "no"), ("pituitary", "pi"))
    for split, begin, number in (("Training", "Tr", 6), ("Testing", "Te", 3)):
        for kind, short in kinds:
            pictures(
                root, [f"brain/{split}/{kind}/{begin}-{short}_{n:04}.jpg" for n in range(number)]
            )


def brain_mri(root: Path) -> None:
    """With the copy that Kaggle's archive holds."""
    for place in ("brain-mri", "brain-mri/brain_tumor_dataset"):
        pictures(root, [f"{place}/no/{n} no.jpeg" for n in range(1, 8)])
        pictures(root, [f"{place}/yes/Y{n}.jpg" for n in range(1, 8)])


def gtsrb(root: Path) -> None:
    """With the twin folders of Kaggle's archive."""
    here = root / "gtsrb"
    signs = ("0", "1", "14", "42")
    for train, test, meta in (("Train", "Test", "Meta"), ("train", "test", "meta")):
        names = [
            f"{sign}/{int(sign):05}_{track:05}_{n:05}"
            for sign in signs
            for track in (0, 1)
            for n in (0, 1)
        ]
        pictures(here, [f"{train}/{name}.png" for name in names])
        pictures(here, [f"{test}/{n:05}.png" for n in range(8)])
        pictures(here, [f"{meta}/{sign}.png" for sign in signs])
    begin = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"
    tests = [f"53,54,6,5,48,49,{signs[n % 4]},Test/{n:05}.png" for n in range(8)]
    trains = [f"27,26,5,5,22,20,{name.split('/')[0]},Train/{name}.png" for name in names]
    metas = [f"Meta/{sign}.png,{sign},0,0,1.1" for sign in signs]
    texts(
        here,
        {
            "Test.csv": "\n".join([begin, *tests]),
            "Train.csv": "\n".join([begin, *trains]),
            "Meta.csv": "\n".join(["Path,ClassId,ShapeId,ColorId,SignId", *metas]),
        },
    )


def medmnist(root: Path) -> None:
    draws = np.random.default_rng(0)
    arrays = {}
    for split, number in (("train", 18), ("val", 6), ("test", 6)):
        arrays[f"{split}_images"] = draws.integers(0, 256, (number, 28, 28, 3), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(number) % 3).reshape(-1, 1).astype(np.uint8)
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / "bloodmnist.npz", **arrays)


def isic_2018(root: Path) -> None:
    names = [f"ISIC_{24306 + n:07}" for n in range(18)]
    pictures(root, [f"ISIC2018_Task3_Training_Input/{name}.jpg" for name in names])
    kinds = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
    lines = [
        f"{name},{','.join(f'{float(index == n % 3)}' for index in range(7))}"
        for n, name in enumerate(names)
    ]
    table = "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv"
    texts(root, {table: "\n".join([",".join(["image", *kinds]), *lines])})
    texts(
        root,
        {
            "ISIC2018_Task3_Training_Input/ATTRIBUTION.txt": "",
            "ISIC2018_Task3_Training_Input/LICENSE.txt": "",
        },
    )


def covid_radiography(root: Path) -> None:
    for kind in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for what in ("images", "masks"):
            names = [f"{kind}/{what}/{kind}-{n}.png" for n in range(1, 7)]
            pictures(root / "COVID-19_Radiography_Dataset", names)
    texts(root / "COVID-19_Radiography_Dataset", {"COVID.metadata.xlsx": "", "README.md.txt": ""})


def imagenet_validation(root: Path) -> None:
    names = [f"ILSVRC2012_val_{n:08}.JPEG" for n in range(1, 19)]
    pictures(root, [f"imagenet/val/{name}" for name in names])
    texts(
        root,
        {
            "imagenet/val.txt": "\n".join(f"{name} {65 + n % 3}" for n, name in enumerate(names)),
            "imagenet/synsets.txt": "\n".join(f"n0175174{n % 3}" for n, _ in enumerate(names)),
        },
    )


def imagenet_with_training(root: Path) -> None:
    """Training images in folders of synsets, validation images in one, with numbers beside."""
    nets = ("n01440764", "n01443537", "n01484850")
    pictures(root, [f"imagenet/train/{net}/{net}_{n}.JPEG" for net in nets for n in range(5)])
    names = [f"imagenet/val/ILSVRC2012_val_{n:08}.JPEG" for n in range(1, 10)]
    pictures(root, names)
    texts(root, {"imagenet/val_labels.txt": "\n".join(f"{n * 7 % 3}" for n, _ in enumerate(names))})
