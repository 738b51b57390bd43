"""Where the code of functions lies: folders beside a template, and archives that are unpacked."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from grader.cloud.account import Account
from grader.cloud.aws import Refused
from grader.cloud.function import unzip
from grader.cloud.scratch import Scratch
from grader.cloud.template import Resource


class Unpacked:
    """The folders of an account's code; what was unpacked goes with `close`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._folders: list[Scratch] = []

    def close(self) -> None:
        """Remove everything that was unpacked."""
        for folder in self._folders:
            folder.close()

    def code(self, resource: Resource, beside: Path | None) -> Path:
        """The folder of a function's code: beside the template, or out of a bucket. Refused."""
        place = resource.properties.get("Code")
        if isinstance(place, Mapping) and "ZipFile" in place:
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-function-code.html
            folder = self.archive(b"")
            (folder / "index.py").write_text(str(place["ZipFile"]), encoding="utf-8")
            return folder
        if isinstance(place, Mapping) and "S3Bucket" in place:
            return self._fetched(str(place["S3Bucket"]), str(place.get("S3Key")))
        if beside is not None and isinstance(place, str) and "://" not in place:
            return self._placed(beside / place)
        if beside is None:
            raise Refused(
                "ValidationError",
                f"{resource.logical_id}: Code must be an archive in S3; package it first.",
                "Code",
                resource.logical_id,
            )
        raise Refused(
            "NotEmulated",
            f"{resource.logical_id}: Code is a folder beside the template here, such as `.`; "
            "`aws cloudformation package` puts it into a bucket for you.",
            "Code",
            resource.logical_id,
        )

    def archive(self, archive: bytes) -> Path:
        """A new folder with what an archive holds; an empty one for no bytes. ValueError."""
        folder = Scratch()
        self._folders.append(folder)
        if archive:
            unzip(archive, folder.path)
        return folder.path

    def _fetched(self, bucket: str, key: str) -> Path:
        try:
            archive = self._account.objects(bucket)[key]
        except KeyError:
            raise Refused(
                "InvalidParameterValueException",
                "Error occurred while GetObject. S3 Error Code: NoSuchKey.",
            ) from None
        return self.archive(archive)

    def _placed(self, found: Path) -> Path:
        """A folder of code; an archive is unpacked, and a single file stands in one by itself.

        https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
        """
        if not found.is_file() or zipfile.is_zipfile(found):
            return self.archive(found.read_bytes()) if found.is_file() else found
        folder = self.archive(b"")
        shutil.copy(found, folder)
        return folder
